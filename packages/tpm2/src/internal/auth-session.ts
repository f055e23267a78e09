import type { HashAlgorithm } from '../algorithms.ts'
import type { SessionCipher } from '../commands/start-auth-session.ts'
import type { Session } from '../tpm.ts'
import { concat } from './octets.ts'

/** What a session is made with. */
export interface AuthSessionInit {
  readonly handle: number
  readonly kind: 'hmac' | 'policy'
  readonly hash: HashAlgorithm
  readonly cipher: SessionCipher | undefined
  /** From salt and bind value; empty without both. Secret. */
  readonly sessionKey: Uint8Array
  readonly nonceTpm: Uint8Array
  /** The object it is bound to, and its authorisation value. */
  readonly bound: { readonly name: Uint8Array; readonly authValue: Uint8Array } | undefined
  readonly connection: number
}

/** Our end of a session: its secrets, and what the last command left behind. */
export class AuthSession implements Session {
  readonly handle: number
  readonly kind: 'hmac' | 'policy'
  readonly hash: HashAlgorithm
  readonly cipher: SessionCipher | undefined
  readonly connection: number
  /** The TPM's newest nonce. */
  nonceTpm: Uint8Array
  /** What the policy says must come along when the session authorises (Part 1 §19.7.6). */
  needs: 'nothing' | 'authValue' | 'password' = 'nothing'
  readonly #sessionKey: Uint8Array
  readonly #bound: AuthSessionInit['bound']

  constructor(init: AuthSessionInit) {
    this.handle = init.handle
    this.kind = init.kind
    this.hash = init.hash
    this.cipher = init.cipher
    this.connection = init.connection
    this.nonceTpm = init.nonceTpm
    this.#sessionKey = init.sessionKey
    this.#bound = init.bound
  }

  get encrypts(): boolean {
    return this.cipher !== undefined
  }

  /**
   * Key of the HMACs over a command and its response (Part 1 §19.6.8 to §19.6.15).
   *
   * @param authorises The object that the session authorises, if any, and its authorisation value.
   */
  hmacKey(authorises: { name: Uint8Array; authValue: Uint8Array } | undefined): Uint8Array {
    if (authorises === undefined) return concat(this.#sessionKey)
    const included = this.kind === 'policy' ? this.needs === 'authValue' : !this.#isBoundTo(authorises)
    return included ? this.sessionValue(authorises.authValue) : concat(this.#sessionKey)
  }

  /** What parameter encryption keys come from (Part 1 §21.2): with the value even where the session is bound to it. */
  sessionValue(authValue: Uint8Array): Uint8Array {
    return concat(this.#sessionKey, authValue)
  }

  #isBoundTo({ name, authValue }: { name: Uint8Array; authValue: Uint8Array }): boolean {
    const bound = this.#bound
    return bound !== undefined && same(bound.name, name) && same(bound.authValue, authValue)
  }

  /** Never prints what it holds. */
  toJSON(): object {
    return { handle: this.handle, kind: this.kind, encrypts: this.encrypts }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/**
 * Our end of a session that came through the public interface.
 *
 * @throws {TypeError} on anything that this package has not made.
 */
export function asAuthSession(session: Session): AuthSession {
  if (!(session instanceof AuthSession))
    throw new TypeError('a session must come from startHmacSession or startPolicySession')
  return session
}
