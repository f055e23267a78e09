import { RolesAnywhereError } from './errors.ts'
import { type PublicKey, publicKeyOfCertificate } from './identity/public-key.ts'
import { type CertificateFields, readCertificate } from './internal/read-certificate.ts'
import { isWeakSignature } from './internal/signature-strength.ts'
import type { X509Identity } from './types.ts'

/** What is looked at before anything is sent. */
export interface CertificateChecks {
  /** Milliseconds since the epoch. */
  readonly nowMs: number
}

/** A leaf that may be sent. */
export interface CheckedCertificate {
  /** Decimal, for the credential of a signature. */
  readonly serial: string
  readonly publicKey: PublicKey
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  /** Milliseconds since the epoch. */
  readonly notAfter: number
}

/**
 * Holds a certificate against what IAM Roles Anywhere asks of one, and against the kind of the private key, so that a mistake is
 * said here and by its name, and not by the service as "Untrusted certificate" or "Invalid signature".
 *
 * Whether the very key is the certificate's turns out with the first signature.
 *
 * @param refuse Gets what the service would refuse; throws it, or lets it pass.
 * @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE`, `ERR_RA_MISMATCH`, and whatever `refuse` throws.
 * @see {@link https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html IAM Roles Anywhere, "Trust model", "Certificate requirements"}
 */
export function checkCertificate(
  { certificate, keyType }: Pick<X509Identity, 'certificate' | 'keyType'>,
  { nowMs }: CertificateChecks,
  refuse: (error: RolesAnywhereError) => void,
): CheckedCertificate {
  const fields = readCertificate(certificate)
  const publicKey = publicKeyOf(certificate)
  if (publicKey.keyType !== keyType) {
    throw new RolesAnywhereError(
      'ERR_RA_MISMATCH',
      `the private key is of type ${keyType}, and the certificate's is ${publicKey.keyType}: give the key that the certificate was made for`,
    )
  }
  for (const error of [validity(fields, nowMs), ...shape(fields)]) if (error !== undefined) refuse(error)
  const { serial, notBefore, notAfter } = fields
  return { serial, publicKey, notBefore, notAfter }
}

function publicKeyOf(certificate: Uint8Array): PublicKey {
  try {
    return publicKeyOfCertificate(certificate)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'its public key can not be read'
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `the certificate has a key that does not do: ${why}`)
  }
}

function validity({ notBefore, notAfter }: CertificateFields, nowMs: number): RolesAnywhereError | undefined {
  const clock = `; this machine's clock says ${iso(nowMs)}`
  if (nowMs < notBefore) {
    return expired(`is not valid before ${iso(notBefore)}${clock}: wait, or set the clock right`)
  }
  if (nowMs <= notAfter) return undefined
  return expired(`ended at ${iso(notAfter)}${clock}: renew it, or set the clock right`)
}

function* shape(fields: CertificateFields): Generator<RolesAnywhereError> {
  if (fields.version !== 3) yield wrong(`is of X.509 v${fields.version}: have it issued as v3, with extensions`)
  else if (fields.digitalSignature === undefined) {
    yield wrong('has no key usage: have it issued with "keyUsage = digitalSignature"')
  }
  if (fields.digitalSignature === false) {
    yield wrong('may not sign: have it issued with digitalSignature in its key usage')
  }
  if (fields.authority)
    yield wrong('is one of an authority (CA:TRUE): use one that was issued to this machine (CA:FALSE)')
  if (isWeakSignature(fields)) {
    yield wrong('was signed with a hash weaker than SHA-256: have it issued anew, with SHA-256 or better')
  }
}

const wrong = (what: string): RolesAnywhereError =>
  new RolesAnywhereError('ERR_RA_CERTIFICATE', `the certificate ${what}`)
const expired = (what: string): RolesAnywhereError =>
  new RolesAnywhereError('ERR_RA_EXPIRED', `the certificate ${what}`)
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000', '')
