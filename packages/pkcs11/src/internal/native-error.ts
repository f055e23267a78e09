import { Pkcs11Error, type Pkcs11ErrorCode } from '../errors.ts'
import { CKR, lossOf } from './rv.ts'

const PIN_CODES = new Map<number, Pkcs11ErrorCode>([
  [CKR.PIN_INCORRECT, 'ERR_PKCS11_PIN_INCORRECT'],
  [CKR.PIN_INVALID, 'ERR_PKCS11_PIN_INCORRECT'],
  [CKR.PIN_LEN_RANGE, 'ERR_PKCS11_PIN_INCORRECT'],
  [CKR.PIN_LOCKED, 'ERR_PKCS11_PIN_LOCKED'],
  [CKR.PIN_EXPIRED, 'ERR_PKCS11_PIN'],
  [CKR.USER_PIN_NOT_INITIALIZED, 'ERR_PKCS11_PIN'],
])

/** What the addon threw, as ours. Its own error is dropped: all that it knows is the number. */
export function fromNative(doing: string, error: unknown): Pkcs11Error {
  if (error instanceof Pkcs11Error) return error
  const rv = rvOf(error)
  if (rv === undefined)
    return new Pkcs11Error('ERR_PKCS11_MODULE', `${doing} failed before it reached the module`, { cause: error })
  const code =
    PIN_CODES.get(rv) ?? (lossOf(rv) === 'none' && rv !== CKR.SESSION_COUNT ? 'ERR_PKCS11_RV' : 'ERR_PKCS11_DEVICE')
  return new Pkcs11Error(code, doing, { rv })
}

/** Calls the module. */
export function call<T>(doing: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw fromNative(doing, error)
  }
}

/** CK_RV of what the addon threw. Some of its functions (C_CreateObject) have it in the message alone: `CKR_NAME:number`. */
export function rvOf(error: unknown): number | undefined {
  const { name, code, message } = error as { name?: unknown; code?: unknown; message?: unknown }
  if (name === 'Pkcs11Error' && typeof code === 'number' && code !== 0) return code
  const [, digits] = /^CKR_\w+:(\d{1,10})$/.exec(String(message)) ?? []
  return digits === undefined ? undefined : Number(digits)
}
