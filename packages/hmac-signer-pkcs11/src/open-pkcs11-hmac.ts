import {
  type Handle,
  type OpenTokenInit,
  openToken,
  type Pkcs11Session,
  type Pkcs11Token,
  parsePkcs11Uri,
} from '@hardbound/pkcs11'
import {
  assertKnownAnswer,
  checkKnownAnswer,
  forgetSigningKeys,
  type HmacBackend,
  HmacBackendError,
  knownAnswer,
} from '@hardbound/sigv4-hmac/backend'
import { assertNamesKey, findKey, type KeySearch } from './find-key.ts'
import { toHmacError } from './map-error.ts'
import { asBackend, NAME, tagOf } from './tag.ts'

/** Which key of which token, and what may be expected of it. */
export interface OpenPkcs11HmacInit extends Omit<OpenTokenInit, 'readWrite'> {
  /** What the key answered when it was put there. Default: what it answers when it is opened. */
  readonly knownAnswer?: string | undefined
  /** Take a key that is not sensitive, can be taken out of the token, or can be used without the PIN. Default: false. */
  readonly dangerouslyAllowExtractable?: boolean | undefined
}

/** The key as it was last found: its handle holds for one generation of sessions. */
interface Found {
  readonly generation: number
  readonly key: Handle
}

/**
 * Opens an HMAC key in a PKCS #11 token. Whenever the token had to be found anew, so is the key, and it must still give the known
 * answer: a stranger's key is never used.
 *
 * @throws {HmacBackendError}
 * @throws {TypeError} or {RangeError} on wrong options.
 */
export async function openPkcs11Hmac(init: OpenPkcs11HmacInit): Promise<HmacBackend> {
  const uri = typeof init.uri === 'string' ? parsePkcs11Uri(init.uri) : init.uri
  assertNamesKey(uri)
  if (init.knownAnswer !== undefined) assertKnownAnswer(init.knownAnswer)
  const search = { uri, dangerouslyAllowExtractable: init.dangerouslyAllowExtractable === true }
  try {
    const token = await openToken({ ...init, uri, readWrite: false })
    try {
      return await backendOf(token, search, init.knownAnswer)
    } catch (error) {
      await token.close()
      throw error
    }
  } catch (error) {
    throw toHmacError(error)
  }
}

async function backendOf(token: Pkcs11Token, search: KeySearch, enrolled: string | undefined): Promise<HmacBackend> {
  /** Set once another key has answered: nothing is asked of it again. */
  let disabled: HmacBackendError | undefined
  let found: Found | undefined
  let expected = enrolled

  async function enroll(session: Pkcs11Session): Promise<Found> {
    const key = findKey(session, search)
    const asked = asBackend((message) => tagOf(session, key, message))
    try {
      if (expected === undefined) expected = await knownAnswer(asked)
      else await checkKnownAnswer(asked, expected)
    } catch (error) {
      if (error instanceof HmacBackendError && error.code === 'ERR_HMAC_KNOWN_ANSWER') {
        disabled = error
        forgetSigningKeys(backend)
      }
      throw error
    }
    found = { generation: session.generation, key }
    return found
  }
  async function afterEnrolling(session: Pkcs11Session, message: Uint8Array): Promise<Uint8Array> {
    const { key } = await enroll(session)
    return tagOf(session, key, message)
  }

  const backend: HmacBackend = {
    name: NAME,
    async hmacSha256(message, { signal } = {}) {
      if (disabled !== undefined) throw disabled
      const input = Buffer.from(message)
      try {
        return await token.withSession(
          (session) =>
            found?.generation === session.generation
              ? tagOf(session, found.key, input)
              : afterEnrolling(session, input),
          { signal, repeat: true },
        )
      } catch (error) {
        throw toHmacError(error)
      }
    },
    async close() {
      forgetSigningKeys(backend)
      await token.close()
    },
  }
  await token.withSession(enroll, { repeat: true })
  return backend
}
