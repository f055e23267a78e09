import { z } from 'zod'
import { file, onlyOne, pkcs11Key, secretFile, text, tpmKey } from './hardware-key-schema.ts'

const vault = z
  .strictObject({
    address: z.union([text, z.array(text).min(1).max(20)]),
    key: text,
    key_version: z.int().min(1).optional(),
    mount: text.optional(),
    namespace: text.optional(),
    ca_file: file.optional(),
    token_file: secretFile.optional(),
    app_role: z.strictObject({ role_id: text, secret_id_file: secretFile, mount: text.optional() }).optional(),
    kubernetes: z.strictObject({ role: text, jwt_file: file.optional(), mount: text.optional() }).optional(),
  })
  .refine(
    ({ token_file, app_role, kubernetes }) => onlyOne([token_file, app_role, kubernetes]),
    'needs one of token_file, app_role, kubernetes',
  )

const kms = z.strictObject({ envelope_file: file.describe('Written by hardbound kms wrap') })

/** The broker's own AWS identity, where its key is in hardware or in a KMS. */
export const awsIdentitySchema = z
  .strictObject({
    access_key_id: z.string().regex(/^\w{16,128}$/, 'must be 16 to 128 letters and digits'),
    known_answer: z
      .string()
      .regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hexadecimal digits')
      .optional()
      .describe('What the key answered when it was enrolled'),
    tpm: tpmKey.optional(),
    pkcs11: pkcs11Key.optional(),
    vault: vault.optional(),
    kms: kms.optional(),
  })
  .refine(({ tpm, pkcs11, vault, kms }) => onlyOne([tpm, pkcs11, vault, kms]), 'needs one of tpm, pkcs11, vault, kms')

/** What `aws.identity` says. */
export type AwsIdentityConfig = z.output<typeof awsIdentitySchema>
