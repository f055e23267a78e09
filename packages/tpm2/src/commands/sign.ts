import { ALG, HASHES, type HashAlgorithm } from '../algorithms.ts'
import { HIERARCHIES } from '../handles.ts'
import { concat, EMPTY, padded, sized, u16, u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/** How to sign. */
export interface SignInit {
  readonly key: ObjectHandle
  /** Of the key. */
  readonly auth?: Authorization
  /** Of the message, made with `hash`. Keys with attribute `restricted` need a ticket, which is not supported. */
  readonly digest: Uint8Array
  readonly scheme: 'rsassa' | 'rsapss' | 'ecdsa' | 'hmac'
  /** Default: `sha256`. */
  readonly hash?: HashAlgorithm
  readonly sessions?: readonly Session[]
}

/**
 * Signs a digest.
 *
 * @returns RSA: the signature; ECDSA: r and s side by side, each as long as the curve's order (IEEE P1363, in
 * `node:crypto` `dsaEncoding: 'ieee-p1363'`); HMAC: the tag.
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @throws {RangeError} on a digest that does not have the hash's length.
 * @see TPM 2.0 Part 3 §20.2, TPM2_Sign
 */
export async function sign(tpm: Tpm, init: SignInit, options?: CallOptions): Promise<Uint8Array> {
  const { scheme, digest, hash = 'sha256' } = init
  if (digest.length !== HASHES[hash].size) throw new RangeError(`a ${hash} digest has ${HASHES[hash].size} octets`)
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_Sign',
      handles: [init.key],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concat(
        sized(digest),
        concat(u16(ALG[scheme]), u16(HASHES[hash].id)),
        concat(u16(TAG_HASHCHECK), u32(HIERARCHIES.null), sized(EMPTY)),
      ),
    },
    options,
  )
  return readSignature(new Reader(parameters, 'TPM2_Sign'), scheme, hash)
}

/** TPM_ST_HASHCHECK. */
const TAG_HASHCHECK = 0x8024

/** TPMT_SIGNATURE (Part 2 §11.3.4). */
function readSignature(reader: Reader, scheme: SignInit['scheme'], hash: HashAlgorithm): Uint8Array {
  if (reader.u16() !== ALG[scheme] || reader.hash() !== hash) throw reader.malformed('another scheme than asked for')
  const signature =
    scheme === 'hmac'
      ? reader.bytes(HASHES[hash].size)
      : scheme === 'ecdsa'
        ? sideBySide(reader.sized(66), reader.sized(66))
        : reader.sized(1024)
  reader.end()
  if (signature.length === 0) throw reader.malformed('an empty signature')
  return signature
}

/** TPMs differ in whether they keep leading zeros, so the length comes from the curves there are. */
function sideBySide(r: Uint8Array, s: Uint8Array): Uint8Array {
  const longest = Math.max(r.length, s.length)
  const size = longest <= 32 ? 32 : longest <= 48 ? 48 : 66
  return concat(padded(r, size), padded(s, size))
}
