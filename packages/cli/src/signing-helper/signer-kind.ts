import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { CliError } from '../cli-error.ts'
import type { SignerFlags } from './types.ts'

/** What has the private key, and so what opens it. */
export type SignerKind = 'pem' | 'pkcs12' | 'pkcs11' | 'tpm' | 'store'

/** What the library reads of a file. */
const MAX_FILE_OCTETS = 1_048_576

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
  const { tss2, certificate: hasCertificate } = whatIsIn(reference)
  if (tss2) return 'tpm'
  if (key !== '' || hasCertificate) return 'pem'
  if (intermediates === '') return 'pkcs12'
  throw new CliError(
    "can't specify certificate chain when using PKCS#12 files: there is no certificate in PEM in --certificate, and a PKCS #12 file brings its own chain",
  )
}

/** Nothing in what can't be read: whoever needs it says so. */
function whatIsIn(path: string): { tss2: boolean; certificate: boolean } {
  let file: number | undefined
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) // a FIFO would wait for its writer
    const stat = fstatSync(file)
    if (!stat.isFile() || stat.size > MAX_FILE_OCTETS) return { tss2: false, certificate: false }
    const octets = readFileSync(file)
    const has = (label: string): boolean => octets.includes(`-----BEGIN ${label}-----`)
    const found = { tss2: has('TSS2 PRIVATE KEY'), certificate: has('CERTIFICATE') }
    octets.fill(0)
    return found
  } catch {
    return { tss2: false, certificate: false }
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
