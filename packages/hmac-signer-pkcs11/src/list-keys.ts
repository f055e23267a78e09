import {
  attribute,
  findObjects,
  formatPkcs11Uri,
  type OpenTokenInit,
  openToken,
  parsePkcs11Uri,
} from '@hardbound/pkcs11'
import { whatIsWrongWithKey } from './find-key.ts'
import { CKA } from './internal/ck.ts'
import { toHmacError } from './map-error.ts'

/** A secret key in a token. */
export interface Pkcs11HmacKeyInfo {
  /** CKA_LABEL */
  readonly label: string
  /** CKA_ID, hexadecimal; may be empty. */
  readonly id: string
  /** Why `openPkcs11Hmac` would refuse it; undefined where it would not. */
  readonly problem: string | undefined
  /** For `openPkcs11Hmac`. */
  readonly uri: string
}

/**
 * Lists the secret keys of the one token that a URI names. Logs in to it.
 *
 * @throws {HmacBackendError}
 * @throws {TypeError} or {RangeError} on wrong options.
 */
export async function listPkcs11HmacKeys(init: Omit<OpenTokenInit, 'readWrite'>): Promise<Pkcs11HmacKeyInfo[]> {
  const { pinValue: _, ...uri } = typeof init.uri === 'string' ? parsePkcs11Uri(init.uri) : init.uri
  const { object, id } = uri
  try {
    const token = await openToken(init)
    const { token: name, serial } = token.info
    try {
      return await token.withSession((session) =>
        findObjects(session, { object, id, type: 'secret-key' }).map((key) => {
          const label = attribute(session, key, CKA.LABEL)?.toString('utf8') ?? ''
          const keyId = attribute(session, key, CKA.ID) ?? Buffer.alloc(0)
          const named = { ...uri, token: name, serial, object: label, ...(keyId.length > 0 && { id: keyId }) }
          const problem = whatIsWrongWithKey(session, key)?.why
          return { label, id: keyId.toString('hex'), problem, uri: formatPkcs11Uri(named) }
        }),
      )
    } finally {
      await token.close()
    }
  } catch (error) {
    throw toHmacError(error)
  }
}
