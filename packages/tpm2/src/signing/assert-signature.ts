import { constants, type KeyObject, verify } from 'node:crypto'
import { Tpm2Error } from '../errors.ts'
import { schemeError } from './schemes.ts'
import type { SignatureScheme } from './signing-key.ts'

/**
 * Makes sure that a signature is one of this message: of this key, not changed on its way, and of a kind that others accept.
 *
 * @throws {Tpm2Error} `ERR_TPM_RESPONSE`; `ERR_TPM_SCHEME` where the salt does not have the length of the hash.
 */
export function assertSignature(
  publicKey: KeyObject,
  message: Uint8Array,
  { scheme, hash }: SignatureScheme,
  signature: Uint8Array,
): void {
  if (scheme !== 'rsassa-pss') {
    if (!verify(hash, message, publicKey, signature)) throw wrong()
    return
  }
  const isWithSalt = (saltLength: number) =>
    verify(hash, message, { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature)
  if (isWithSalt(constants.RSA_PSS_SALTLEN_DIGEST)) return
  if (!isWithSalt(constants.RSA_PSS_SALTLEN_AUTO)) throw wrong()
  // Part 1 §B.7: as long as fits, unless the TPM follows FIPS 186-4.
  throw schemeError(
    'this TPM makes RSA-PSS signatures whose salt is longer than the hash, which RFC 7518 §3.5 forbids: ask for rsassa-pkcs1-v1_5 (RS256), of a key whose scheme is null or rsassa',
  )
}

const wrong = () => new Tpm2Error('ERR_TPM_RESPONSE', 'TPM2_Sign: the signature is not one of this key and message')
