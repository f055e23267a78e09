import type { KeyObject } from 'node:crypto'
import type { Handle } from './cryptoki.ts'
import { Pkcs11Error } from './errors.ts'
import { findObject, type ObjectSearch } from './find-objects.ts'
import { CKA, CKK } from './internal/ck.ts'
import { call } from './internal/native-error.ts'
import { publicKeyFor, unfit } from './internal/public-key.ts'
import { attribute, booleanAttribute, numberAttribute } from './objects.ts'
import { readCertificates } from './read-certificates.ts'
import type { Pkcs11Session } from './session.ts'

/** Names a private key, or the certificate beside it (`type: 'cert'`), and says what the key may be. */
export interface SigningKeySearch extends ObjectSearch {
  readonly dangerouslyAllowExtractable: boolean
  /** The key's certificate (DER), where it is known. */
  readonly certificate?: Uint8Array | undefined
}

/** A private key as it was found: the handle holds for one generation of sessions. */
export interface FoundSigningKey {
  readonly generation: number
  readonly handle: Handle
  /** CKA_ID; may be empty. */
  readonly id: Uint8Array
  readonly publicKey: KeyObject
  /** The key wants the PIN for each signature. */
  readonly alwaysAuthenticate: boolean
  /** CK_MECHANISM_TYPEs of the token. */
  readonly mechanisms: ReadonlySet<number>
}

/**
 * Finds the one private key that a search names and makes sure that it can sign, wants the PIN, and can't be got out of the token.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_KEY`, `ERR_PKCS11_OBJECT`
 */
export function findSigningKey(session: Pkcs11Session, search: SigningKeySearch): FoundSigningKey {
  const handle = findObject(session, { ...privateKeyNames(session, search), type: 'private' })
  const wrong = whatIsWrongWithKey(session, handle)
  if (wrong !== undefined && !(wrong.kind === 'exposed' && search.dangerouslyAllowExtractable)) throw unfit(wrong.why)
  const id = attribute(session, handle, CKA.ID) ?? Buffer.alloc(0)
  return {
    generation: session.generation,
    handle,
    id,
    publicKey: publicKeyFor(session, handle, id, search.certificate),
    alwaysAuthenticate: booleanAttribute(session, handle, CKA.ALWAYS_AUTHENTICATE) === true,
    mechanisms: new Set(call('C_GetMechanismList', () => session.cryptoki.C_GetMechanismList(session.slot))),
  }
}

/**
 * Finds the certificate that a search names, or that lies beside the key that it names.
 *
 * @param id CKA_ID of the private key; may be empty, and then nothing is beside it.
 * @throws {Pkcs11Error} `ERR_PKCS11_OBJECT` where several are.
 */
export function findCertificate(session: Pkcs11Session, search: ObjectSearch, id: Uint8Array): Uint8Array | undefined {
  const object = search.type === 'cert' ? search.object : undefined
  const found = id.length === 0 ? [] : readCertificates(session, { object, id })
  if (found.length < 2) return found[0]?.der
  const labels = found.map(({ label }) => JSON.stringify(label)).join(', ')
  const what = `${found.length} certificates have the id of the key: name one of them with type=cert`
  throw new Pkcs11Error('ERR_PKCS11_OBJECT', `${what} (their labels: ${labels})`)
}

function privateKeyNames(session: Pkcs11Session, { object, id, type }: ObjectSearch): ObjectSearch {
  if (type !== 'cert') return { object, id }
  const ofCertificate = attribute(session, findObject(session, { object, id, type }), CKA.ID)
  if (ofCertificate !== undefined && ofCertificate.length > 0) return { id: ofCertificate }
  throw new Pkcs11Error('ERR_PKCS11_KEY', 'the certificate has no CKA_ID, and so no private key')
}

/** An attribute that isn't there is taken for the worse. `exposed`: the key's value, or its use. */
function whatIsWrongWithKey(
  session: Pkcs11Session,
  key: Handle,
): { kind: 'unfit' | 'exposed'; why: string } | undefined {
  const is = (type: number): boolean | undefined => booleanAttribute(session, key, type)
  const keyType = numberAttribute(session, key, CKA.KEY_TYPE)
  if (keyType !== CKK.RSA && keyType !== CKK.EC) {
    return { kind: 'unfit', why: 'its type is neither CKK_RSA nor CKK_EC' }
  }
  if (is(CKA.SIGN) !== true) return { kind: 'unfit', why: 'it may not sign (CKA_SIGN)' }
  if (is(CKA.SENSITIVE) !== true) return { kind: 'exposed', why: 'its value can be read (CKA_SENSITIVE is false)' }
  if (is(CKA.EXTRACTABLE) !== false) {
    return { kind: 'exposed', why: 'it can be taken out of the token (CKA_EXTRACTABLE is true)' }
  }
  if (is(CKA.PRIVATE) !== true) return { kind: 'exposed', why: 'it can be used without the PIN (CKA_PRIVATE is false)' }
  return undefined
}
