import { z } from 'zod'

/** Schemas of what `broker.yaml` says of keys in hardware, and of files. */
export const text = z.string().min(1, 'must not be empty').max(4096)
export const file = text.describe('Path, from the folder of this file')
export const secretFile = text.describe('Path of a file with mode 0600, from the folder of this file')

export const tpmKey = z
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

export const pkcs11Key = z.strictObject({
  uri: text.describe('RFC 7512; pin-value is refused'),
  pin_file: secretFile.optional(),
  allow_modules: z.array(text.regex(/^\//, 'must be an absolute path')).max(100).optional(),
})

export type TpmKeyConfig = z.output<typeof tpmKey>
export type Pkcs11KeyConfig = z.output<typeof pkcs11Key>

export const onlyOne = (values: readonly unknown[]): boolean => values.filter((it) => it !== undefined).length === 1
