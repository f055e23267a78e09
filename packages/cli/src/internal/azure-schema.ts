import { z } from 'zod'
import { file, onlyOne, pkcs11Key, secretFile, text, tpmKey } from './hardware-key-schema.ts'

const guid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be a GUID in lower case')

const certificate = z
  .strictObject({
    certificate_file: file.optional().describe('PEM; what is registered with the application'),
    key_file: secretFile.optional().describe('PEM; may be certificate_file itself'),
    passphrase_file: secretFile.optional().describe('Of key_file'),
    pfx_file: secretFile.optional().describe('PKCS #12: certificate and key'),
    password_file: secretFile.optional().describe('Of pfx_file'),
    tpm: tpmKey.optional(),
    pkcs11: pkcs11Key.optional(),
    algorithm: z.enum(['PS256', 'RS256']).optional().describe('RS256 for keys that can not do PS256, as in some TPMs'),
  })
  .refine(
    (it) => onlyOne([it.key_file, it.pfx_file, it.tpm, it.pkcs11]),
    'needs one of key_file, pfx_file, tpm, pkcs11',
  )
  .refine((it) => it.certificate_file !== undefined || it.key_file === undefined, {
    path: ['certificate_file'],
    error: 'is needed beside key_file',
  })
  .refine((it) => it.certificate_file !== undefined || it.tpm === undefined, {
    path: ['certificate_file'],
    error: 'is needed beside tpm',
  })
  .refine((it) => it.certificate_file === undefined || it.pfx_file === undefined, {
    path: ['certificate_file'],
    error: 'does not go with pfx_file, which holds it',
  })
  .refine((it) => it.passphrase_file === undefined || it.key_file !== undefined, {
    path: ['passphrase_file'],
    error: 'goes with key_file',
  })
  .refine((it) => (it.password_file === undefined) === (it.pfx_file === undefined), {
    path: ['password_file'],
    error: 'goes with pfx_file, which needs it',
  })

const application = z
  .strictObject({
    tenant_id: guid,
    client_id: guid,
    cloud: z.enum(['public', 'usgovernment', 'china']).optional().describe('Default: public'),
    authority_host: text.optional().describe('In place of cloud; https'),
    credential: z
      .strictObject({
        client_secret_file: secretFile.optional(),
        federated_token_file: file.optional().describe('Read anew each time, as workload identity has it'),
        certificate: certificate.optional(),
      })
      .refine(
        (it) => onlyOne([it.client_secret_file, it.federated_token_file, it.certificate]),
        'needs one of client_secret_file, federated_token_file, certificate',
      ),
  })
  .refine((it) => it.cloud === undefined || it.authority_host === undefined, {
    path: ['authority_host'],
    error: 'does not go with cloud',
  })

/** Whose tokens the broker can get, and how it proves to Entra that it may. */
export const azureSchema = z.strictObject({
  applications: z.array(application).min(1, 'must not be empty').max(1000),
  ca_file: file.optional().describe('PEM of the only authorities to trust for Entra'),
})

/** What `azure` says. */
export type AzureConfig = z.output<typeof azureSchema>
export type AzureApplicationConfig = AzureConfig['applications'][number]
