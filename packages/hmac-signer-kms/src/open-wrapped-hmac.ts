import { assertKnownAnswer, type HmacBackend, HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { type Envelope, parseEnvelope } from './envelope.ts'
import { type LocalBackendInit, openLocalBackend } from './internal/local-backend.ts'
import type { KeyUnwrapper } from './key-unwrapper.ts'

/** What {@link openWrappedHmac} needs. */
export interface OpenWrappedHmacInit extends LocalBackendInit {
  /** `awsKmsUnwrapper({…})`, `googleKmsUnwrapper({…})`, or your own. The backend closes it. */
  readonly unwrap: KeyUnwrapper
  /** What `wrapSecret` gave, as text or parsed. */
  readonly envelope: string | Envelope
  /** What the key answered when it was enrolled, where you noted it elsewhere; the envelope's own is compared anyway. */
  readonly knownAnswer?: string
}

/**
 * HMAC-SHA-256 under a key that a KMS unwraps on use: the HMAC is made here, then the key is wiped. For KMSes whose own HMAC
 * keys have a fixed length: `AWS4` and a secret access key are 44 octets, those of AWS KMS and Cloud KMS are 32.
 *
 * Asks the KMS once at open, and compares the known answer each time.
 *
 * @throws {TypeError | RangeError} on options that can't be right.
 * @throws {HmacBackendError}
 */
export async function openWrappedHmac({
  unwrap,
  envelope,
  knownAnswer,
  ...init
}: OpenWrappedHmacInit): Promise<HmacBackend> {
  if (knownAnswer !== undefined) assertKnownAnswer(knownAnswer)
  const wrapped = typeof envelope === 'string' ? parseEnvelope(envelope) : envelope
  assertSameKey(unwrap, wrapped)
  const answers = [wrapped.knownAnswer, ...(knownAnswer === undefined ? [] : [knownAnswer])]
  return openLocalBackend(
    init,
    answers,
    (signal) => unwrap.unwrap(wrapped.ciphertext, { signal }),
    () => unwrap.close(),
  )
}

/** The caller said which key it means; the envelope is a file that others may have changed. */
function assertSameKey(unwrap: KeyUnwrapper, envelope: Envelope): void {
  const differs = (what: string): HmacBackendError =>
    new HmacBackendError('ERR_HMAC_KEY', `kms: the envelope is for another ${what} than was configured`)
  if (unwrap.kms !== envelope.kms) throw differs('KMS')
  if (unwrap.keyId !== envelope.keyId) throw differs('key')
  if (sorted(unwrap.context) !== sorted(envelope.context)) throw differs('context')
}

const sorted = (context: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1)))
