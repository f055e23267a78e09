import { constants, createECDH, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { CURVES, HASHES } from '../algorithms.ts'
import { Tpm2Error } from '../errors.ts'
import type { EccPublicArea, PublicArea, RsaPublicArea } from '../public-area.ts'
import { kdfe } from './kdf.ts'
import { concat, padded, sized, u32 } from './octets.ts'

/** A secret that only the owner of a key in a TPM can learn. */
export interface ExchangedSecret {
  readonly secret: Uint8Array
  /** Content of the TPM2B_ENCRYPTED_SECRET. */
  readonly encrypted: Uint8Array
}

/**
 * Makes a secret as long as the key's name digest, for one purpose (Part 1 §B.10 for RSA, §C.6 for ECC).
 *
 * @param label `SECRET` for the salt of a session, `DUPLICATE` for the seed of an object.
 * @throws {Tpm2Error} `ERR_TPM_UNTRUSTED` on a key that is not a valid one.
 * @throws {TypeError} on a key that can't decrypt.
 */
export function exchangeSecret(key: PublicArea, label: 'SECRET' | 'DUPLICATE'): ExchangedSecret {
  if (!key.attributes.includes('decrypt') || (key.type !== 'rsa' && key.type !== 'ecc')) {
    throw new TypeError('a secret can be sent to an RSA or ECC key with the attribute "decrypt" only')
  }
  try {
    return key.type === 'rsa' ? byRsa(key, label) : byEcdh(key, label)
  } catch (cause) {
    throw new Tpm2Error('ERR_TPM_UNTRUSTED', `the ${key.type} key of the TPM is not a valid one`, { cause })
  }
}

/** OAEP, whose label has its final zero. */
function byRsa(key: RsaPublicArea, label: string): ExchangedSecret {
  const secret = new Uint8Array(randomBytes(HASHES[key.nameAlg].size))
  const e = Buffer.from(u32(key.exponent === 0 ? 65537 : key.exponent)).toString('base64url')
  const encrypted = publicEncrypt(
    {
      key: createPublicKey({
        key: { kty: 'RSA', n: Buffer.from(key.modulus).toString('base64url'), e },
        format: 'jwk',
      }),
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: key.nameAlg,
      oaepLabel: Buffer.from(`${label}\0`, 'latin1'),
    },
    secret,
  )
  return { secret, encrypted: new Uint8Array(encrypted) }
}

/** One-pass Diffie-Hellman: an ephemeral key of ours, and the static one of the TPM. */
function byEcdh(key: EccPublicArea, label: string): ExchangedSecret {
  const { size, node } = CURVES[key.curve]
  const theirs = { x: padded(key.x, size), y: padded(key.y, size) }
  const ephemeral = createECDH(node)
  const point = ephemeral.generateKeys()
  const ours = { x: point.subarray(1, 1 + size), y: point.subarray(1 + size) }
  const z = ephemeral.computeSecret(concat(Uint8Array.of(4), theirs.x, theirs.y))
  const secret = kdfe(key.nameAlg, padded(z, size), label, ours.x, theirs.x, HASHES[key.nameAlg].size * 8)
  z.fill(0)
  return { secret, encrypted: concat(sized(ours.x), sized(ours.y)) }
}
