import { Pkcs11Error } from './errors.ts'
import { type FoundSigningKey, findCertificate, findSigningKey, type SigningKeySearch } from './find-signing-key.ts'
import { isSameKey } from './internal/public-key.ts'
import { assertFits, octetsOf, signatureCall, verifiedSignature } from './internal/signature.ts'
import { type OpenTokenInit, openToken, type Pkcs11Token } from './open-token.ts'
import { parsePkcs11Uri } from './parse-uri.ts'
import type { Pkcs11Session } from './session.ts'
import { sign } from './sign.ts'
import type { SigningKey } from './signature-scheme.ts'
import type { Pkcs11Uri } from './uri.ts'

const NAME = 'pkcs11'
const MAX_MESSAGE = 1_048_576

/** Which key of which token, and what may be expected of it. The URI names the private key, or with `type=cert` its certificate. */
export interface OpenPkcs11SigningKeyInit extends Omit<OpenTokenInit, 'readWrite'> {
  /** Take a key that is not sensitive, can be taken out of the token, or can be used without the PIN. Default: false. */
  readonly dangerouslyAllowExtractable?: boolean | undefined
  /**
   * The key's certificate (DER), where the caller has it: others beside the key are not looked for, and a key that has no public part in
   * the token can be used all the same.
   */
  readonly certificate?: Uint8Array | undefined
}

/** A private key in a token. Messages are 1 MiB at most. */
export interface Pkcs11SigningKey extends SigningKey {
  readonly name: typeof NAME
}

/**
 * Opens a private key, RSA or EC, in a PKCS #11 token. Every signature is verified before it is given out. Whenever the token had to
 * be found anew, so is the key, and it must still have the same public key: otherwise nothing is asked of it again.
 *
 * @throws {Pkcs11Error}
 * @throws {TypeError} or {RangeError} on wrong options.
 */
export async function openPkcs11SigningKey(init: OpenPkcs11SigningKeyInit): Promise<Pkcs11SigningKey> {
  const uri = typeof init.uri === 'string' ? parsePkcs11Uri(init.uri) : init.uri
  assertNamesKey(uri)
  const { object, id, type } = uri
  const dangerouslyAllowExtractable = init.dangerouslyAllowExtractable === true
  const token = await openToken({ ...init, uri, readWrite: false })
  try {
    const { certificate } = init
    return await signingKeyOf(token, { object, id, type, dangerouslyAllowExtractable, certificate })
  } catch (error) {
    await token.close()
    throw error
  }
}

async function signingKeyOf(token: Pkcs11Token, search: SigningKeySearch): Promise<Pkcs11SigningKey> {
  const first = await token.withSession(
    (session) => {
      const key = findSigningKey(session, search)
      return { key, certificate: search.certificate ?? findCertificate(session, search, key.id) }
    },
    { repeat: true },
  )
  const { publicKey } = first.key
  const { certificate } = first
  const maxOctets = octetsOf(publicKey)
  let found = first.key
  /** Set once another key was in its place: nothing is asked of it again. */
  let disabled: Pkcs11Error | undefined

  function current(session: Pkcs11Session): FoundSigningKey {
    if (disabled !== undefined) throw disabled
    if (found.generation === session.generation) return found
    const again = findSigningKey(session, search)
    if (!isSameKey(again.publicKey, publicKey)) {
      disabled = new Pkcs11Error(
        'ERR_PKCS11_KEY',
        'after the token was lost another key is in its place: not used again',
      )
      throw disabled
    }
    found = again
    return found
  }

  return {
    name: NAME,
    publicKey,
    ...(certificate !== undefined && { certificate }),
    async sign(message, scheme, { signal } = {}) {
      assertFits(scheme, publicKey)
      if (message.length > MAX_MESSAGE) {
        throw new RangeError(`"message" must have at most ${MAX_MESSAGE} octets, got ${message.length}`)
      }
      if (disabled !== undefined) throw disabled
      const input = Buffer.from(message)
      const how = { ...scheme }
      const answer = await token.withSession(
        (session) => {
          const { handle, mechanisms, alwaysAuthenticate } = current(session)
          const { mechanism, data } = signatureCall(how, publicKey, mechanisms, input)
          return sign(session, mechanism, handle, data, maxOctets, { alwaysAuthenticate })
        },
        { signal, repeat: true }, // signing twice does no harm, and no PIN is tried twice
      )
      return verifiedSignature(how, publicKey, input, answer)
    },
    close: () => token.close(),
  }
}

function assertNamesKey({ object, id, type }: Pkcs11Uri): void {
  if (object === undefined && id === undefined) throw new TypeError('"uri" must name the key, with object or id')
  if (type !== undefined && type !== 'private' && type !== 'cert') {
    throw new TypeError('"uri" must name a private key (type=private), or its certificate (type=cert)')
  }
}
