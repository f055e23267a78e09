import type { AccessToken } from '@azure/core-auth'
import { EkmCredentialError } from '../errors.ts'
import { assertIdentity, type ExpectedIdentity } from './assert-identity.ts'

/** What was asked for, to hold the answer against. */
export interface Expected extends ExpectedIdentity {
  readonly protocol: 'v2' | 'go-v1'
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The longest life that Entra gives an access token, and 15 minutes, because clocks differ. */
const MAX_LIFE_MS = (24 * 3600 + 900) * 1000

/** RFC 6750 §2.1. Entra's tokens are 1 to 4 KB; servers take headers of 16 KB at most. */
const BEARER_TOKEN = /^[A-Za-z0-9._~+/-]{1,16384}={0,2}$/
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

/**
 * Reads the broker's answer, field by field, and refuses a token that is for somebody or something else.
 *
 * @throws {EkmCredentialError} `ERR_EKM_RESPONSE`, `ERR_EKM_IDENTITY_MISMATCH`
 */
export function readToken(
  answer: Readonly<Record<string, unknown>>,
  expected: Expected,
): Pick<AccessToken, 'token' | 'expiresOnTimestamp'> {
  const { access_token: token, token_type: type } = answer
  if (typeof token !== 'string' || !BEARER_TOKEN.test(token)) throw malformed('access_token')
  // The Go server names no type. Case does not matter: RFC 6749 §5.1.
  if (expected.protocol === 'v2' && (typeof type !== 'string' || type.toLowerCase() !== 'bearer')) {
    throw malformed('token_type')
  }
  const expiresOnTimestamp = readExpiry(answer, expected.protocol)
  if (expiresOnTimestamp <= expected.now) {
    throw new EkmCredentialError('ERR_EKM_RESPONSE', 'the token is expired; is the clock right?')
  }
  if (expiresOnTimestamp > expected.now + MAX_LIFE_MS) {
    throw new EkmCredentialError('ERR_EKM_RESPONSE', 'the token lasts longer than a day; is the clock right?')
  }
  assertIdentity(token, expected)
  return { token, expiresOnTimestamp }
}

/** Milliseconds since the epoch. Go-v1 has a time where the name promises a number of seconds. */
function readExpiry(answer: Readonly<Record<string, unknown>>, protocol: 'v2' | 'go-v1'): number {
  if (protocol === 'v2') {
    const { expires_on: seconds } = answer
    if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds)) throw malformed('expires_on')
    return seconds * 1000
  }
  const { expires_in: text } = answer
  const time = typeof text === 'string' && RFC3339.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw malformed('expires_in')
  return time
}

const malformed = (field: string): EkmCredentialError =>
  new EkmCredentialError('ERR_EKM_RESPONSE', `the broker's answer has no valid "${field}"`)
