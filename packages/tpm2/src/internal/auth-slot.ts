import { createHmac, timingSafeEqual } from 'node:crypto'
import { HASHES } from '../algorithms.ts'
import { PASSWORD_SESSION } from '../handles.ts'
import type { Authorization } from '../tpm.ts'
import { type AuthSession, asAuthSession } from './auth-session.ts'
import { withoutTrailingZeros } from './auth-value.ts'
import { freshNonce } from './nonce.ts'
import { concat, EMPTY, sized, u8, u32, wipe } from './octets.ts'
import type { Reader } from './reader.ts'

/** TPMA_SESSION (Part 2 §8.4). */
export const SESSION = { continue: 0x01, auditExclusive: 0x02, decrypt: 0x20, encrypt: 0x40, audit: 0x80 } as const

/** One entry of the authorisation area: of a command, and then of its response. */
export interface AuthSlot {
  /** The session; `undefined` for a password. */
  readonly session: AuthSession | undefined
  /** The object that is authorised; `undefined` for sessions that only encrypt. */
  readonly authorises: { readonly name: Uint8Array; readonly authValue: Uint8Array } | undefined
  readonly nonceCaller: Uint8Array
  attributes: number
}

/** The slot that authorises an object, from what the caller gave. */
export function authorisingSlot(auth: Authorization | undefined, name: Uint8Array): AuthSlot {
  if (auth === undefined || 'password' in auth) {
    const authValue = withoutTrailingZeros(auth?.password ?? EMPTY)
    return { session: undefined, authorises: { name, authValue }, nonceCaller: EMPTY, attributes: SESSION.continue }
  }
  const [session, authValue] = 'session' in auth ? [auth.session, auth.authValue] : [auth, EMPTY]
  return { ...sessionSlot(asAuthSession(session)), authorises: { name, authValue: withoutTrailingZeros(authValue) } }
}

/** The slot of a session that comes along without authorising. */
export function sessionSlot(session: AuthSession): AuthSlot {
  const nonceCaller = freshNonce(HASHES[session.hash].size)
  return { session, authorises: undefined, nonceCaller, attributes: SESSION.continue }
}

/**
 * TPMS_AUTH_COMMAND (Part 2 §10.13.2). The caller wipes it.
 *
 * @param cpHash Digest of the command, with the session's hash.
 * @param cryptNonce nonceTPM of another session that encrypts; only for the first slot (Part 1 §19.6.5).
 */
export function encodeSlot(
  slot: AuthSlot,
  cpHash: (session: AuthSession) => Uint8Array,
  cryptNonce: Uint8Array,
): Uint8Array {
  const { session, authorises, nonceCaller, attributes } = slot
  const password = authorises?.authValue ?? EMPTY
  if (session === undefined) return withProof(concat(u32(PASSWORD_SESSION), sized(EMPTY), u8(attributes)), password)
  const hmac = sendsPassword(slot)
    ? password
    : hmacOf(slot, session, [cpHash(session), nonceCaller, session.nonceTpm, cryptNonce, u8(attributes)])
  return withProof(concat(u32(session.handle), sized(nonceCaller), u8(attributes)), hmac)
}

/** Ends with a TPM2B that may be a password, and leaves no copy of it. */
function withProof(before: Uint8Array, proof: Uint8Array): Uint8Array {
  const last = sized(proof)
  const all = concat(before, last)
  wipe(last)
  return all
}

/**
 * Checks TPMS_AUTH_RESPONSE (Part 2 §10.13.3) against its slot.
 *
 * @throws {Tpm2Error} `ERR_TPM_RESPONSE` when the response is not from the TPM that knows the session.
 */
export function checkSlot(
  slot: AuthSlot,
  response: { nonce: Uint8Array; attributes: number; hmac: Uint8Array },
  rpHash: (session: AuthSession) => Uint8Array,
  reader: Reader,
): void {
  const { session, nonceCaller } = slot
  const { nonce, attributes, hmac } = response
  if (session === undefined) {
    if (nonce.length !== 0 || hmac.length !== 0) throw reader.malformed('a password is answered with an HMAC')
    return
  }
  // The TPM adds to a session that audits whether it has seen all since it began.
  const added = (slot.attributes & SESSION.audit) === 0 ? 0 : SESSION.auditExclusive
  if ((attributes & ~added) !== slot.attributes) throw reader.malformed('the session came back with other attributes')
  if (nonce.length !== session.nonceTpm.length) throw reader.malformed(`a nonce of ${nonce.length} octets`)
  const expected = sendsPassword(slot)
    ? EMPTY
    : hmacOf(slot, session, [rpHash(session), nonce, nonceCaller, u8(attributes)])
  if (hmac.length !== expected.length || !timingSafeEqual(hmac, expected)) {
    throw reader.malformed('the HMAC of the session is wrong')
  }
}

/** What the session's next command builds on; only after all slots were checked. */
export function rollSlot({ session, authorises }: AuthSlot, nonceTpm: Uint8Array): void {
  if (session === undefined) return
  session.nonceTpm = nonceTpm
  if (authorises !== undefined) session.needs = 'nothing' // the TPM has reset the policy
}

function sendsPassword({ session, authorises }: AuthSlot): boolean {
  return authorises !== undefined && session?.kind === 'policy' && session.needs === 'password'
}

function hmacOf(slot: AuthSlot, session: AuthSession, parts: readonly Uint8Array[]): Uint8Array {
  const key = session.hmacKey(slot.authorises)
  // Part 1 §19.6.4.1: a policy session without any secret has an empty HMAC.
  if (key.length === 0 && session.kind === 'policy') return EMPTY
  const hmac = createHmac(session.hash, key)
  for (const part of parts) hmac.update(part)
  wipe(key)
  return hmac.digest()
}
