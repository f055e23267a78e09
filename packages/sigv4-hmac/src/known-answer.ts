import { timingSafeEqual } from 'node:crypto'
import type { HmacBackend } from './hmac-backend.ts'
import { HmacBackendError } from './hmac-backend-error.ts'

/** What is authenticated to recognise a key. Not a day, so SigV4 never asks for it. */
const LABEL = new TextEncoder().encode('hardbound/known-answer/v1')
/** Half of the tag: the least that RFC 2104, section 5 asks for, and still nothing to guess. */
const OCTETS = 16
const FORM = /^[0-9a-f]{32}$/

/**
 * What a key answers to a fixed label: noted when a secret is put into a device, compared each time it is opened. It says which
 * key it is and nothing about it.
 *
 * @returns 32 lower-case hexadecimal digits: the first 16 octets of HMAC-SHA-256(key, `hardbound/known-answer/v1`).
 * @throws {HmacBackendError}
 */
export async function knownAnswer(backend: HmacBackend, options?: { signal?: AbortSignal }): Promise<string> {
  const tag = await backend.hmacSha256(LABEL, options)
  if (tag.length !== 32)
    throw new HmacBackendError('ERR_HMAC_RESPONSE', `${backend.name}: a tag of ${tag.length} octets`)
  return Buffer.from(tag.subarray(0, OCTETS)).toString('hex')
}

/**
 * Makes sure that the key is the one that was enrolled.
 *
 * @param expected What {@link knownAnswer} gave then.
 * @throws {TypeError} where `expected` is not of its form.
 * @throws {HmacBackendError} `ERR_HMAC_KNOWN_ANSWER` where the key is another.
 */
export async function checkKnownAnswer(
  backend: HmacBackend,
  expected: string,
  options?: { signal?: AbortSignal },
): Promise<void> {
  assertKnownAnswer(expected)
  const answer = await knownAnswer(backend, options)
  if (timingSafeEqual(Buffer.from(answer), Buffer.from(expected))) return
  throw new HmacBackendError('ERR_HMAC_KNOWN_ANSWER', `${backend.name}: the key is not the one that was enrolled`)
}

/** @throws {TypeError} where this can't be what {@link knownAnswer} gave. */
export function assertKnownAnswer(value: string): void {
  if (!FORM.test(value)) throw new TypeError('"knownAnswer" must be 32 lower-case hexadecimal digits')
}
