import { CliError } from '../cli-error.ts'
import { pemLabelsIn } from '../internal/pem-labels.ts'
import type { SignerFlags } from './types.ts'

/** What has the private key, and so what opens it. */
export type SignerKind = 'pem' | 'pkcs12' | 'pkcs11' | 'tpm' | 'store'

/**
 * Tells by the flags, and by what is in the file that they name, what is to sign. Prefixes are in small letters.
 *
 * @throws {CliError}
 */
export function signerKindOf(flags: Pick<SignerFlags, 'certificate' | 'private-key' | 'intermediates'>): SignerKind {
  const { certificate, 'private-key': key, intermediates } = flags
  const reference = key || certificate
  if (reference === '') return 'store'
  if (reference.startsWith('pkcs11:')) return 'pkcs11'
  if (certificate.startsWith('pkcs11:')) {
    throw new CliError('--private-key must be a pkcs11: URI too, or left out, where --certificate is one')
  }
  if (key.startsWith('handle:')) return 'tpm'
  const found = pemLabelsIn(reference, ['TSS2 PRIVATE KEY', 'CERTIFICATE'])
  if (found.includes('TSS2 PRIVATE KEY')) return 'tpm'
  if (key !== '' || found.includes('CERTIFICATE')) return 'pem'
  if (intermediates === '') return 'pkcs12'
  throw new CliError(
    "can't specify certificate chain when using PKCS#12 files: there is no certificate in PEM in --certificate, and a PKCS #12 file brings its own chain",
  )
}
