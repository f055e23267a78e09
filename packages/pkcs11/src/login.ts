import type { Cryptoki, Handle } from './cryptoki.ts'
import { Pkcs11Error } from './errors.ts'
import { CKF, CKU_CONTEXT_SPECIFIC, CKU_USER, PUBLIC_SESSION } from './internal/ck.ts'
import { call, fromNative } from './internal/native-error.ts'
import { latchOf, noteTry } from './internal/pin-latch.ts'
import { CKR } from './internal/rv.ts'
import type { Pkcs11Session } from './session.ts'

/** How to prove to a token who we are. */
export interface LoginInit {
  /** The user's PIN. Kept until the token is closed: it is needed again when the token comes back. */
  readonly pin?: string | undefined
  /** Have the token ask for the PIN at its own keypad. Default: false. */
  readonly protectedAuthentication?: boolean | undefined
  /** Try the PIN although a wrong one was given to the token before, or this one did not get in. Default: false. */
  readonly tryPinWhenCountLow?: boolean | undefined
}

/** What a token says about its user's PIN; `count-low`: a wrong one was given since the last good one. */
export type PinState = 'ok' | 'not-needed' | 'not-set' | 'count-low' | 'final-try' | 'locked'

/** @param flags CK_TOKEN_INFO.flags. PKCS #11 v2.40, section 3.2. */
export function pinStateOf(flags: number): PinState {
  if ((flags & CKF.LOGIN_REQUIRED) === 0) return 'not-needed'
  if ((flags & CKF.USER_PIN_INITIALIZED) === 0) return 'not-set'
  if ((flags & CKF.USER_PIN_LOCKED) !== 0) return 'locked'
  if ((flags & CKF.USER_PIN_FINAL_TRY) !== 0) return 'final-try'
  return (flags & CKF.USER_PIN_COUNT_LOW) !== 0 ? 'count-low' : 'ok'
}

/**
 * Logs in as the user, with one try. A token on its last try, or locked, is not touched; nor is one that was given a wrong PIN
 * before: a program that is started again and again must not use up all tries. A PIN with which this process did not get in is not
 * tried again, whatever the token answered: not all tokens tell that a PIN was wrong, or count aloud.
 *
 * @param begin Begins the operation of a key that wants the PIN for each (CKA_ALWAYS_AUTHENTICATE): the login is for that alone.
 * @throws {Pkcs11Error} `ERR_PKCS11_PIN` and its relatives.
 */
export function login(cryptoki: Cryptoki, slot: Handle, session: Handle, init: LoginInit, begin?: () => void): void {
  const info = call('C_GetTokenInfo', () => cryptoki.C_GetTokenInfo(slot))
  const flags = begin === undefined ? info.flags : info.flags | CKF.LOGIN_REQUIRED
  const name = `token "${info.label.trimEnd()}"`
  const state = pinStateOf(flags)
  if (state === 'not-needed') return
  if (state === 'not-set') throw new Pkcs11Error('ERR_PKCS11_PIN', `${name} has no PIN for users yet`)
  if (state === 'locked') throw new Pkcs11Error('ERR_PKCS11_PIN_LOCKED', `${name} takes no PIN any more`)
  if (state === 'final-try') {
    throw new Pkcs11Error('ERR_PKCS11_PIN_FINAL_TRY', `one more wrong PIN locks ${name}: log in once with its own tool`)
  }
  const pin = pinFor(init, flags, name)
  if (state === 'count-low' && init.tryPinWhenCountLow !== true) {
    throw new Pkcs11Error(
      'ERR_PKCS11_PIN_COUNT_LOW',
      `a wrong PIN was given to ${name} before: log in once with its own tool, or allow the try`,
    )
  }
  const latch = latchOf(info, pin)
  if (latch.closed && init.tryPinWhenCountLow !== true) {
    throw new Pkcs11Error(
      'ERR_PKCS11_PIN_COUNT_LOW',
      `${name} did not let this process in with that PIN before: start it again, or allow the try`,
    )
  }
  begin?.()
  try {
    cryptoki.C_Login(session, begin === undefined ? CKU_USER : CKU_CONTEXT_SPECIFIC, pin)
    latch.open()
  } catch (error) {
    const mine = fromNative(`C_Login to ${name}`, error)
    if (mine.rv === CKR.USER_ALREADY_LOGGED_IN) return
    if (mine.rv === undefined || !NOT_TRIED.has(mine.rv)) {
      noteTry(mine)
      // At a keypad somebody may do better next time.
      if (init.protectedAuthentication !== true) latch.close()
    }
    throw mine
  }
}

/** Answers that prove that no PIN got to the token. CKR_DEVICE_ERROR does not, nor does CKR_GENERAL_ERROR. */
const NOT_TRIED = new Set<number>([
  CKR.DEVICE_REMOVED,
  CKR.TOKEN_NOT_PRESENT,
  CKR.SLOT_ID_INVALID,
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.OPERATION_NOT_INITIALIZED,
  CKR.CRYPTOKI_NOT_INITIALIZED,
])

/**
 * Makes sure that a session still is one of a user who is logged in, where the token wants that.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_DEVICE`
 */
export function assertLoggedIn(
  { cryptoki, slot, handle }: Pick<Pkcs11Session, 'cryptoki' | 'slot' | 'handle'>,
  doing: string,
): void {
  const { flags } = call('C_GetTokenInfo', () => cryptoki.C_GetTokenInfo(slot))
  const { state } = call('C_GetSessionInfo', () => cryptoki.C_GetSessionInfo(handle))
  if (pinStateOf(flags) === 'not-needed' || !PUBLIC_SESSION.includes(state)) return
  throw new Pkcs11Error('ERR_PKCS11_DEVICE', doing, { rv: CKR.USER_NOT_LOGGED_IN })
}

function pinFor({ pin, protectedAuthentication }: LoginInit, flags: number, name: string): string {
  if (protectedAuthentication === true) {
    if ((flags & CKF.PROTECTED_AUTHENTICATION_PATH) !== 0) return '' // pkcs11js has no way to pass NULL_PTR
    throw new Pkcs11Error('ERR_PKCS11_PIN', `${name} has no keypad of its own`)
  }
  if (pin === undefined) throw new Pkcs11Error('ERR_PKCS11_PIN', `${name} wants a PIN, and none was given`)
  return pin
}
