import { nameOfRv } from './internal/rv.ts'

/** All that can go wrong between here and a token. */
export type Pkcs11ErrorCode =
  | 'ERR_PKCS11_ADDON' // the package pkcs11js is missing, or was not built for this Node
  | 'ERR_PKCS11_MODULE' // the module may not be loaded, or does not load, or does not start
  | 'ERR_PKCS11_TOKEN_ABSENT' // no token matches: later one may be there
  | 'ERR_PKCS11_TOKEN_AMBIGUOUS' // several tokens match
  | 'ERR_PKCS11_DEVICE' // the token went away, or its sessions did, and could not be had back yet
  | 'ERR_PKCS11_PIN' // a PIN is needed and none was given, or its source may not be used
  | 'ERR_PKCS11_PIN_INCORRECT' // the token refused the PIN; it is not tried again
  | 'ERR_PKCS11_PIN_COUNT_LOW' // a PIN did not get in before, so this one was not tried
  | 'ERR_PKCS11_PIN_FINAL_TRY' // one more wrong PIN locks the token, so this one was not tried
  | 'ERR_PKCS11_PIN_LOCKED' // the token takes no PIN any more
  | 'ERR_PKCS11_OBJECT' // no object matches, or several
  | 'ERR_PKCS11_KEY' // the key is not one to be used, or its public key is not to be had, or is another than before
  | 'ERR_PKCS11_SIGNATURE' // the token gave something that is no signature of the key
  | 'ERR_PKCS11_RV' // any other answer than CKR_OK; `rv` has it
  | 'ERR_PKCS11_OVERLOADED' // too many wait already
  | 'ERR_PKCS11_TIMEOUT' // a deadline passed
  | 'ERR_PKCS11_ABORTED' // the caller's AbortSignal
  | 'ERR_PKCS11_CLOSED' // the token was closed

/** Messages name modules, tokens, functions and CKR_ values; never a PIN, a key or, but for labels and ids, an attribute's value. */
export class Pkcs11Error extends Error {
  override readonly name = 'Pkcs11Error'
  readonly code: Pkcs11ErrorCode
  /** What the module returned (CK_RV), where it was the module that failed. */
  readonly rv: number | undefined

  constructor(code: Pkcs11ErrorCode, message: string, options?: ErrorOptions & { rv?: number }) {
    super(options?.rv === undefined ? message : `${message}: ${nameOfRv(options.rv)}`, options)
    this.code = code
    this.rv = options?.rv
  }
}
