import { Tpm2Error } from '../errors.ts'
import { unfit } from '../keys/key.ts'
import type { EccPublicArea, PublicArea, RsaPublicArea } from '../public-area.ts'
import type { SignatureScheme } from './signing-key.ts'

/** A public area of a key that signs what it is given. */
export type SigningArea = RsaPublicArea | EccPublicArea

/** Names of the schemes in a TPM (TCG Algorithm Registry, table 3). */
export const TPM_SCHEMES = { 'rsassa-pkcs1-v1_5': 'rsassa', 'rsassa-pss': 'rsapss', ecdsa: 'ecdsa' } as const

const NAMES = Object.keys(TPM_SCHEMES) as SignatureScheme['scheme'][]
const HASHES: readonly unknown[] = ['sha256', 'sha384', 'sha512'] satisfies SignatureScheme['hash'][]
const LEAST_RSA_BITS = 2048

/**
 * Makes sure that a key signs what it is given (Part 1 §25.1.4), in a way that X.509 identities use.
 *
 * @throws {Tpm2Error} `ERR_TPM_KEY`, with what to do about it.
 */
export function assertSigningKey(area: PublicArea): asserts area is SigningArea {
  const { type, attributes } = area
  if (type !== 'rsa' && type !== 'ecc') throw unfit(`it is of type ${type}: an identity needs an RSA or ECC key`)
  if (!attributes.includes('sign')) throw unfit("it may not sign: make it with tpm2_create -a '…|sign'")
  if (attributes.includes('restricted')) {
    throw unfit('it is restricted, so it signs only what its TPM has made: make one without that attribute')
  }
  if (attributes.includes('x509sign')) throw unfit('it has x509sign, so TPM2_Sign refuses it: make one without it')
  if (area.type === 'rsa' && area.keyBits < LEAST_RSA_BITS) {
    throw unfit(`it has ${area.keyBits} bits: make one with ${LEAST_RSA_BITS} at least`)
  }
  if (area.scheme !== undefined && fixedScheme(area) === undefined) {
    const { scheme, hash = 'no hash' } = area.scheme
    throw unfit(`its scheme is ${scheme} with ${hash}: make one whose scheme is null`)
  }
}

/** The one scheme that a key is for, where it was made for one. */
export function fixedScheme({ scheme: fixed }: SigningArea): SignatureScheme | undefined {
  const scheme = NAMES.find((it) => TPM_SCHEMES[it] === fixed?.scheme)
  const hash = fixed?.hash
  return scheme === undefined || hash === undefined || hash === 'sha1' ? undefined : { scheme, hash }
}

/**
 * Makes sure that a key signs in the way that is asked for: its own, where it has one, else any of its type.
 *
 * @throws {TypeError} on what is no scheme.
 * @throws {Tpm2Error} `ERR_TPM_SCHEME`
 */
export function assertScheme(area: SigningArea, { scheme, hash }: SignatureScheme): void {
  if (!NAMES.includes(scheme)) throw new TypeError(`"scheme" must be ${NAMES.join(', ')}`)
  if (!HASHES.includes(hash)) throw new TypeError(`"hash" must be ${HASHES.join(', ')}`)
  if ((scheme === 'ecdsa') !== (area.type === 'ecc')) {
    throw schemeError(`${scheme} was asked of an ${area.type === 'rsa' ? 'RSA' : 'ECC'} key`)
  }
  const fixed = fixedScheme(area)
  if (fixed === undefined || (fixed.scheme === scheme && fixed.hash === hash)) return
  const only = `${fixed.scheme} with ${fixed.hash}`
  throw schemeError(
    `the key is for ${only} alone, not for ${scheme} with ${hash}: ask for that, or make one whose scheme is null`,
  )
}

/** @returns `ERR_TPM_SCHEME` */
export const schemeError = (message: string, options?: ErrorOptions): Tpm2Error =>
  new Tpm2Error('ERR_TPM_SCHEME', message, options)
