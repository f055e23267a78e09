import { z } from 'zod'

const text = z.string().min(1, 'must not be empty').max(4096)
const file = text.describe('Path, from the folder of this file')
const secretFile = text.describe('Path of a file with mode 0600, from the folder of this file')

const tpm = z
  .strictObject({
    device: text.describe('/dev/tpmrm0, or unix:/path'),
    handle: z
      .string()
      .regex(/^0x81[0-9a-fA-F]{6}$/, 'must be a persistent handle such as "0x81010001"')
      .optional(),
    key_file: file.optional().describe('TSS2 PRIVATE KEY'),
    key_auth_file: secretFile.optional(),
    parent_auth_file: secretFile.optional(),
    pcrs: text.optional().describe('sha256:0,7'),
    use_ek_parent: z.boolean().optional(),
    session_encryption_name: z
      .string()
      .regex(/^000b[0-9a-f]{64}$/, 'must be 000b and 64 lower-case hexadecimal digits')
      .optional(),
  })
  .refine((it) => (it.handle === undefined) !== (it.key_file === undefined), 'needs either handle or key_file')

const pkcs11 = z.strictObject({
  uri: text.describe('RFC 7512; pin-value is refused'),
  pin_file: secretFile.optional(),
  allow_modules: z.array(text.regex(/^\//, 'must be an absolute path')).max(100).optional(),
})

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
    tpm: tpm.optional(),
    pkcs11: pkcs11.optional(),
    vault: vault.optional(),
    kms: kms.optional(),
  })
  .refine(({ tpm, pkcs11, vault, kms }) => onlyOne([tpm, pkcs11, vault, kms]), 'needs one of tpm, pkcs11, vault, kms')

/** What `aws.identity` says. */
export type AwsIdentityConfig = z.output<typeof awsIdentitySchema>

const onlyOne = (values: readonly unknown[]): boolean => values.filter((it) => it !== undefined).length === 1
