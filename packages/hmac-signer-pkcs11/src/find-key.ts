import {
  booleanAttribute,
  findObject,
  type Handle,
  numberAttribute,
  type Pkcs11Session,
  type Pkcs11Uri,
} from '@hardbound/pkcs11'
import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { CKA, CKK } from './internal/ck.ts'

/** Names a key, and says what it may be. */
export interface KeySearch {
  readonly uri: Pkcs11Uri
  readonly dangerouslyAllowExtractable: boolean
}

/**
 * Finds the one secret key that a URI names and makes sure that it can be used for HMAC, wants the PIN, and can't be got out of the
 * token.
 *
 * @throws {HmacBackendError} `ERR_HMAC_KEY`
 * @throws {Pkcs11Error}
 */
export function findKey(session: Pkcs11Session, { uri, dangerouslyAllowExtractable }: KeySearch): Handle {
  const key = findObject(session, { object: uri.object, id: uri.id, type: 'secret-key' })
  const wrong = whatIsWrongWithKey(session, key)
  if (wrong === undefined || (wrong.kind === 'exposed' && dangerouslyAllowExtractable)) return key
  throw new HmacBackendError('ERR_HMAC_KEY', `pkcs11: the key is not one to be used here: ${wrong.why}`)
}

/**
 * Why a secret key is not one to be used: it can't make HMACs, or it is `exposed`, its value or its use. An attribute that isn't
 * there is taken for the worse.
 */
export function whatIsWrongWithKey(
  session: Pkcs11Session,
  key: Handle,
): { kind: 'unfit' | 'exposed'; why: string } | undefined {
  const is = (type: number): boolean | undefined => booleanAttribute(session, key, type)
  const keyType = numberAttribute(session, key, CKA.KEY_TYPE)
  if (keyType !== CKK['generic-secret'] && keyType !== CKK['sha256-hmac']) {
    return { kind: 'unfit', why: 'its type is neither CKK_GENERIC_SECRET nor CKK_SHA256_HMAC' }
  }
  if (is(CKA.SIGN) !== true) return { kind: 'unfit', why: 'it may not sign (CKA_SIGN)' }
  if (is(CKA.SENSITIVE) !== true) return { kind: 'exposed', why: 'its value can be read (CKA_SENSITIVE is false)' }
  if (is(CKA.EXTRACTABLE) !== false) {
    return { kind: 'exposed', why: 'it can be taken out of the token (CKA_EXTRACTABLE is true)' }
  }
  if (is(CKA.PRIVATE) !== true) return { kind: 'exposed', why: 'it can be used without the PIN (CKA_PRIVATE is false)' }
  return undefined
}

/**
 * Makes sure that a URI names a key.
 *
 * @throws {TypeError}
 */
export function assertNamesKey({ object, id, type }: Pkcs11Uri): void {
  if (object === undefined && id === undefined) throw new TypeError('"uri" must name the key, with object or id')
  if (type !== undefined && type !== 'secret-key') throw new TypeError('"uri" must name a secret-key')
}
