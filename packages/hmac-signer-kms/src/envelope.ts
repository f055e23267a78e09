import { assertKnownAnswer, HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { fromBase64, isObject, parseObject } from './internal/checks.ts'

/** First field of each envelope. */
export const ENVELOPE_FORMAT = 'hardbound-wrapped-hmac-key/v1'

/** An HMAC key that only a KMS can unwrap, and what to ask the KMS. Nothing in it is secret. */
export interface Envelope {
  /** `aws-kms`, `google-kms` */
  readonly kms: string
  /** Full name of the key that unwraps it. */
  readonly keyId: string
  /** What the ciphertext is bound to: AWS's encryption context; for Google `additionalAuthenticatedData` in base64. */
  readonly context: Readonly<Record<string, string>>
  readonly ciphertext: Uint8Array
  /** 32 lower-case hexadecimal digits, see `knownAnswer`. */
  readonly knownAnswer: string
}

const FIELDS = ['format', 'kms', 'keyId', 'context', 'ciphertext', 'knownAnswer']
const MAX_CHARACTERS = 16_384

/**
 * Reads what {@link formatEnvelope} wrote. Unknown fields are refused.
 *
 * @throws {HmacBackendError} `ERR_HMAC_KEY`, naming the field.
 */
export function parseEnvelope(text: string): Envelope {
  if (text.length > MAX_CHARACTERS) throw refusal('longer than 16 KiB')
  const fields = parseObject(text)
  if (fields === undefined) throw refusal('not a JSON object')
  if (fields.format !== ENVELOPE_FORMAT) throw refusal(`"format" is not ${ENVELOPE_FORMAT}`)
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) throw refusal('a field that this version does not know')
  const { kms, keyId, context, knownAnswer } = fields
  if (!isLabel(kms)) throw refusal('"kms" is missing')
  if (!isLabel(keyId)) throw refusal('"keyId" is missing')
  if (!isContext(context)) throw refusal('"context" must be an object of strings')
  const ciphertext = fromBase64(fields.ciphertext)
  if (ciphertext === undefined || ciphertext.length === 0) throw refusal('"ciphertext" must be base64')
  if (typeof knownAnswer !== 'string') throw refusal('"knownAnswer" is missing')
  try {
    assertKnownAnswer(knownAnswer)
  } catch {
    throw refusal('"knownAnswer" must be 32 lower-case hexadecimal digits')
  }
  return { kms, keyId, context, ciphertext, knownAnswer }
}

/** @returns JSON, with a line feed at its end. */
export function formatEnvelope({ kms, keyId, context, ciphertext, knownAnswer }: Envelope): string {
  const base64 = Buffer.from(ciphertext).toString('base64')
  const fields = { format: ENVELOPE_FORMAT, kms, keyId, context, ciphertext: base64, knownAnswer }
  return `${JSON.stringify(fields, null, 2)}\n`
}

const isLabel = (value: unknown): value is string => typeof value === 'string' && /^[\x21-\x7e]{1,512}$/.test(value)

const isContext = (value: unknown): value is Record<string, string> =>
  isObject(value) && Object.values(value).every((it) => typeof it === 'string')

const refusal = (what: string): HmacBackendError => new HmacBackendError('ERR_HMAC_KEY', `kms: the envelope: ${what}`)
