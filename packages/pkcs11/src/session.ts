import type { Cryptoki, Handle } from './cryptoki.ts'
import type { Pace } from './internal/pace.ts'

/** An open session, lent to one caller at a time. */
export interface Pkcs11Session {
  readonly cryptoki: Cryptoki
  readonly slot: Handle
  readonly handle: Handle
  /** Object handles found in one generation hold in all its sessions, and in no other. */
  readonly generation: number
  /** How fast the token is: decides where C_Sign runs. */
  readonly pace: Pace
  /**
   * Begins an operation of a key that wants the PIN for each one, and gives the token the PIN that it was opened with.
   *
   * @throws {Pkcs11Error}
   */
  loginFor(begin: () => void): void
}
