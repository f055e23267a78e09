import { isDate } from 'node:util/types'
import type { AwsInit } from '../types.ts'
import { credentialRefusal } from './credential-refusal.ts'
import { createRefreshingSource, type Expiring, type RefreshingSource } from './refreshing-source.ts'
import { Refusal } from './refusal.ts'

/** Session credentials that are good now. */
export interface AwsSession extends Expiring {
  /** What the IMDS form answers. One text a set, so that no answer mixes two. */
  readonly imdsBody: string
  /** What the container form answers. */
  readonly containerBody: string
}

export interface AwsSessionsInit {
  timeoutMs: number
  clock: () => number
  random: () => number
  closing: AbortSignal
  /** @param roleName Whose. */
  onFailure: (refusal: Refusal, roleName: string) => void
}

/** botocore asks anew at each use for what has less left. */
const EARLY_MS = 10 * 60_000
/** SDKs wait a second, and ask once. */
const PATIENCE_MS = 500
/** A chained or MFA session lasts 36 hours at most. What ends in years is no session. */
const MAX_LIFE_MS = 48 * 3_600_000

/** Keeps one role's session fresh. */
export function createAwsSessions(
  { provider, roleName, roleArn }: AwsInit,
  init: AwsSessionsInit,
): RefreshingSource<AwsSession> {
  return createRefreshingSource<AwsSession>({
    ...init,
    earlyMs: EARLY_MS,
    patienceMs: PATIENCE_MS,
    fetch: async () => readSession(await provider(), roleArn, init.clock()),
    onFailure: (error) => init.onFailure(awsRefusal(error), roleName),
  })
}

/**
 * What clients are told of a provider's error: 503 whatever it was, as SDKs then keep what they have and come back.
 * @param retryAfterSeconds How long the provider will not be asked again.
 */
export function awsRefusal(error: unknown, retryAfterSeconds = 0): Refusal {
  const { message, options } = credentialRefusal(error)
  return new Refusal(503, 'credential', message, {
    ...options,
    ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
  })
}

const PRINTABLE = /^[\x21-\x7e]+$/
const isText = (it: unknown, most: number): it is string =>
  typeof it === 'string' && it.length <= most && PRINTABLE.test(it)

/** What a provider gives is not taken on trust: an empty success would make SDKs drop what they have. */
function readSession(answer: unknown, roleArn: string | undefined, now: number): AwsSession {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = (answer ?? {}) as Partial<Record<string, unknown>>
  if (!isText(accessKeyId, 128) || !isText(secretAccessKey, 256)) throw refused('the provider gave no credentials')
  if (!isText(sessionToken, 32_768)) throw refused('the provider gave keys without a session token')
  const expiresAt = isDate(expiration) ? expiration.getTime() : Number.NaN
  if (!(expiresAt <= now + MAX_LIFE_MS)) throw refused('the provider gave credentials without a sensible expiry')
  const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken }
  const Expiration = timeText(expiresAt)
  const type = { Code: 'Success', Type: 'AWS-HMAC', Expiration, LastUpdated: timeText(now) }
  const arn = roleArn === undefined ? {} : { RoleArn: roleArn }
  return Object.freeze({
    expiresAt,
    imdsBody: `${JSON.stringify({ ...keys, ...type })}\n`,
    containerBody: JSON.stringify({ ...arn, ...keys, Expiration }),
  })
}

function refused(message: string): Refusal {
  return new Refusal(503, 'credential', message)
}

/** `2026-11-21T12:00:00Z`: whole seconds, as botocore reads no others. */
function timeText(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}
