import { Tpm2Error, type Tpm2ErrorCode } from '../errors.ts'

/**
 * What the TPM says to one command, in the words of a key's user: whether it is the key, the password, or the moment. `cause` is what
 * it said, where that was something else.
 */
export function toKeyError(cause: unknown): unknown {
  if (!(cause instanceof Tpm2Error)) return cause
  const { rc } = cause
  const code = codeOf(cause)
  const message = code === 'ERR_TPM_AUTH_FAIL' ? saidOfPassword(cause.message) : cause.message
  if (code === cause.code && message === cause.message) return cause
  return new Tpm2Error(code, message, { cause, ...(rc !== undefined && { rc }) })
}

/** Not everybody knows that TPM_RC_AUTH_FAIL is about a password, and that having none is one that is wrong. */
const saidOfPassword = (message: string): string =>
  message.startsWith(WRONG_PASSWORD) ? message : `${WRONG_PASSWORD} (${message})`
const WRONG_PASSWORD = 'the password is wrong, or missing'

function codeOf({ code, rc }: Tpm2Error): Tpm2ErrorCode {
  if (code === 'ERR_TPM_RC' && isAboutTheKey(rc)) return 'ERR_TPM_KEY'
  if (code === 'ERR_TPM_AUTH_FAIL' && !isAboutThePassword(rc)) return 'ERR_TPM_RESPONSE'
  if (code === 'ERR_TPM_CLOSED') return 'ERR_TPM_UNREACHABLE' // not by us: the connection went in the middle of our work
  return code
}

/**
 * Part 2 §6.6: codes of format 1 complain of a handle, parameter or session, TPM_RC_NV_DEFINED of a persistent handle that is taken,
 * TPM_RC_REFERENCE_H0 to _H6 of handles that are not there.
 */
const isAboutTheKey = (rc = 0): boolean => (rc & 0x80) !== 0 || rc === 0x14c || (rc >= 0x910 && rc <= 0x916)

/**
 * The first session is the one that authorises. Of another one, which encrypts, it is the HMAC that is wrong: the command was changed on
 * its way.
 */
const isAboutThePassword = (rc = 0): boolean => (rc & 0x40) === 0 && ((rc & 0x800) === 0 || ((rc >> 8) & 7) === 1)

/** What no second try mends: a person has to look. Trying again would only count towards the TPM's lockout. */
const FINAL: ReadonlySet<Tpm2ErrorCode> = new Set<Tpm2ErrorCode>([
  'ERR_TPM_AUTH_FAIL',
  'ERR_TPM_POLICY_FAIL',
  'ERR_TPM_KEY_CHANGED',
  'ERR_TPM_UNTRUSTED',
])

/** Whether an error of {@link toKeyError} is one of those after which the TPM is not touched again. */
export const isFinalTpmError = (error: unknown): boolean => error instanceof Tpm2Error && FINAL.has(error.code)
