import { createHmac } from 'node:crypto'
import {
  createObject,
  destroyObject,
  findObjects,
  formatPkcs11Uri,
  type Handle,
  type OpenTokenInit,
  openToken,
  type Pkcs11Session,
  type Pkcs11Token,
  type Pkcs11Uri,
  parsePkcs11Uri,
} from '@hardbound/pkcs11'
import { checkKnownAnswer, HmacBackendError, knownAnswer } from '@hardbound/sigv4-hmac/backend'
import { assertNamesKey, findKey } from './find-key.ts'
import { CKA, CKK, CKO_SECRET_KEY } from './internal/ck.ts'
import { toHmacError } from './map-error.ts'
import { asBackend, tagOf } from './tag.ts'

/** What to put into which token. */
export interface ImportPkcs11HmacKeyInit extends Omit<OpenTokenInit, 'readWrite'> {
  /** The HMAC key: for SigV4 `AWS4<secret access key>`. Copied at once; the caller wipes its own. */
  readonly secret: Uint8Array
  /** Default: `generic-secret`. Some tokens want `sha256-hmac` for HMAC. */
  readonly keyType?: keyof typeof CKK | undefined
}

export interface ImportedPkcs11HmacKey {
  /** Names token, key and module, and where the PIN is if the given one did; never the PIN. */
  readonly uri: string
  /** For `openPkcs11Hmac`. */
  readonly knownAnswer: string
}

/**
 * Puts a secret into a token under the label and id that the URI has: private, sensitive, not extractable, for signing and nothing
 * else. Refuses a label or id that is in use. What is there afterwards has given the right answer; otherwise nothing is there, or the
 * error says that it may be.
 *
 * @throws {HmacBackendError}
 * @throws {TypeError} or {RangeError} on wrong options.
 */
export async function importPkcs11HmacKey(init: ImportPkcs11HmacKeyInit): Promise<ImportedPkcs11HmacKey> {
  const uri = typeof init.uri === 'string' ? parsePkcs11Uri(init.uri) : init.uri
  assertNamesKey(uri)
  const secret = Buffer.from(init.secret)
  try {
    const software = asBackend((message) => createHmac('sha256', secret).update(message).digest())
    const expected = await knownAnswer(software)
    const token = await openToken({ ...init, uri, readWrite: true })
    try {
      const keyType = CKK[init.keyType ?? 'generic-secret']
      await wholly(token, uri, (session, givenUp) => putIn(session, uri, secret, keyType, expected, givenUp))
      const { pinValue: _, ...named } = uri
      return {
        uri: formatPkcs11Uri({ ...named, token: token.info.token, serial: token.info.serial }),
        knownAnswer: expected,
      }
    } finally {
      await token.close()
    }
  } catch (error) {
    throw toHmacError(error)
  } finally {
    secret.fill(0)
  }
}

/** Does the work and hears how it ended, even where that is after its time: a call into a module can't be taken back. */
async function wholly(
  token: Pkcs11Token,
  { object, id }: Pkcs11Uri,
  work: (session: Pkcs11Session, givenUp: () => boolean) => Promise<void>,
): Promise<void> {
  let givenUp = false
  let outcome: { readonly error?: unknown } | undefined
  try {
    await token.withSession(async (session) => {
      outcome = await work(session, () => givenUp).then(
        () => ({}),
        (error: unknown) => ({ error }),
      )
      if ('error' in outcome) throw outcome.error
    })
  } catch (error) {
    givenUp = true
    await token.close() // waits for what is in progress
    if (outcome !== undefined) throw outcome.error ?? error
    const what =
      object === undefined ? `id ${Buffer.from(id ?? []).toString('hex')}` : `label ${JSON.stringify(object)}`
    throw new HmacBackendError(
      'ERR_HMAC_TIMEOUT',
      `pkcs11: the token is still at work on the import; look whether a key with ${what} is there, and remove it`,
      { cause: error },
    )
  }
}

async function putIn(
  session: Pkcs11Session,
  uri: Pkcs11Uri,
  secret: Buffer,
  keyType: number,
  expected: string,
  givenUp: () => boolean,
): Promise<void> {
  const { object, id } = uri
  for (const [what, search] of Object.entries({ label: { object }, id: { id } })) {
    if (Object.values(search)[0] === undefined || findObjects(session, search).length === 0) continue
    throw new HmacBackendError('ERR_HMAC_KEY', `pkcs11: that ${what} is in use already`)
  }
  const made = createObject(session, template(uri, secret, keyType))
  try {
    const key = findKey(session, { uri, dangerouslyAllowExtractable: false }) // and not two, if another import ran just now
    await checkKnownAnswer(
      asBackend((message) => tagOf(session, key, message)),
      expected,
    )
    if (givenUp()) throw new HmacBackendError('ERR_HMAC_TIMEOUT', 'pkcs11: the check of the imported key took too long')
  } catch (error) {
    undo(session, made)
    throw error
  }
}

function template(
  { object, id }: Pkcs11Uri,
  secret: Buffer,
  keyType: number,
): { type: number; value: number | boolean | string | Buffer }[] {
  const no = [CKA.VERIFY, CKA.ENCRYPT, CKA.DECRYPT, CKA.WRAP, CKA.UNWRAP, CKA.DERIVE, CKA.EXTRACTABLE]
  const yes = [CKA.TOKEN, CKA.PRIVATE, CKA.SENSITIVE, CKA.SIGN]
  return [
    { type: CKA.CLASS, value: CKO_SECRET_KEY },
    { type: CKA.KEY_TYPE, value: keyType },
    ...(object === undefined ? [] : [{ type: CKA.LABEL, value: object }]),
    ...(id === undefined ? [] : [{ type: CKA.ID, value: Buffer.from(id) }]),
    ...yes.map((type) => ({ type, value: true })),
    ...no.map((type) => ({ type, value: false })),
    { type: CKA.VALUE, value: secret },
  ]
}

function undo(session: Pkcs11Session, made: Handle): void {
  try {
    destroyObject(session, made)
  } catch (cause) {
    throw new HmacBackendError(
      'ERR_HMAC_KEY',
      'pkcs11: the imported key failed its check and could not be removed again',
      { cause },
    )
  }
}
