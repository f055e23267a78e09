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
}
