import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Connection,
  type ConnectionInit,
  checkConnection,
  type HttpAnswer,
  loadPost,
  type PostErrorKind,
  withDeadline,
} from '@hardbound/sigv4-hmac/transport'
import { type CheckedAsked, checkAsked, type SessionAsked } from './asked.ts'
import { type CheckedIdentity, checkIdentity, type IdentityChecks } from './check-identity.ts'
import { type RolesAnywhereEndpoint, type RolesAnywhereEndpointInit, rolesAnywhereEndpoint } from './endpoint.ts'
import { RolesAnywhereError, type RolesAnywhereErrorCode } from './errors.ts'
import { isSignatureOf } from './identity/public-key.ts'
import { skewMsOf, skewText } from './internal/skew.ts'
import { refusalOf } from './refusal.ts'
import { type AnswerRules, type RolesAnywhereSession, readSession } from './response.ts'
import { prepareX509Request } from './sign-request.ts'
import type { X509IdentitySource } from './types.ts'
import type { OnRolesAnywhereWarning } from './warning.ts'

/** What {@link createSession} needs. */
export interface CreateSessionInit extends SessionAsked, RolesAnywhereEndpointInit, ConnectionInit, IdentityChecks {
  /** Whose certificate and key are used. It is not closed. */
  identity: X509IdentitySource
  /** For everything, the identity and all tries included, in whole milliseconds. Default: 30 000. */
  timeoutMs?: number | undefined
  /** Tries in all while the service is unreachable or throttles. Default: 3. */
  maxAttempts?: number | undefined
  /**
   * Told of what does not stop anything: an end that is near, a clock that is wrong. Without it nobody would learn of a wrong clock, so
   * that is an `ERR_RA_CLOCK` then.
   */
  onWarning?: OnRolesAnywhereWarning | undefined
  /**
   * What to do with an answer whose keys have an unknown form, are over, last longer than asked for, or are of another role. Default:
   * `refuse`; `warn` tells `onWarning` and takes them.
   */
  answerRules?: AnswerRules | undefined
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: (() => number) | undefined
}

/** Asks for one session. */
export type SessionRequest = (options?: { signal?: AbortSignal }) => Promise<RolesAnywhereSession>

/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2_147_483_647
/** Milliseconds for name look-up, TCP, proxy and TLS together. */
const CONNECT_TIMEOUT_MS = 5_000
/** Milliseconds: a wrong time zone, not a wrong year. What is signed for a time to come could be sent by others then. */
const MAX_CORRECTION_MS = 86_400_000
const TRANSIENT: ReadonlySet<RolesAnywhereErrorCode> = new Set<RolesAnywhereErrorCode>([
  'ERR_RA_UNREACHABLE',
  'ERR_RA_THROTTLED',
])
/** Seconds that `Retry-After` may ask for; more is as good as no. */
const MAX_RETRY_AFTER = 600

/**
 * Gets temporary credentials of a role for a certificate. It follows no redirects and reads neither proxies nor endpoints from the
 * environment.
 *
 * @throws {TypeError | RangeError} on an option that can't be right.
 * @throws {RolesAnywhereError} and what the identity throws.
 * @see {@link https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html IAM Roles Anywhere, "CreateSession API"}
 */
export async function createSession(
  init: CreateSessionInit,
  options?: { signal?: AbortSignal },
): Promise<RolesAnywhereSession> {
  return prepareSession(init)(options)
}

/** As {@link createSession}, in two steps: options are checked at once, and the session is asked for later, as often as you like. */
export function prepareSession(init: CreateSessionInit): SessionRequest {
  const { identity, timeoutMs = 30_000, maxAttempts = 3, answerRules = 'refuse', clock = Date.now } = init
  const onWarning: OnRolesAnywhereWarning = (warning) => init.onWarning?.(warning)
  assertWhole('timeoutMs', timeoutMs, MAX_TIMER_MS)
  assertWhole('maxAttempts', maxAttempts, 100)
  if (typeof identity?.current !== 'function') throw new TypeError('"identity" must be a source of X.509 identities')
  if (answerRules !== 'refuse' && answerRules !== 'warn') throw new TypeError('"answerRules" must be refuse or warn')
  const asked = checkAsked(init)
  const endpoint = rolesAnywhereEndpoint(init, asked.region)
  const connection = checkConnection(init)
  const about = `CreateSession at ${endpoint.origin.host}`

  return ({ signal } = {}) =>
    withDeadline(
      {
        timeoutMs,
        signal,
        onTimeout: () => new RolesAnywhereError('ERR_RA_TIMEOUT', `${about}: no session within ${timeoutMs} ms`),
        onAbort: () => new RolesAnywhereError('ERR_RA_ABORTED', `${about}: aborted`),
      },
      async (inner) => {
        const endsMs = monotonicMs() + timeoutMs
        const current = await identity.current({ signal: inner })
        const checked = await checkIdentity(current, { nowMs: clock(), onWarning }, init)
        const session = {
          asked,
          endpoint,
          connection,
          identity: checked,
          clock,
          onWarning,
          maxAttempts,
          answerRules,
          endsMs,
        }
        const mayCorrectClock = init.onWarning !== undefined
        return attempts({ ...session, mayCorrectClock, signal: inner, invocationId: randomUUID() })
      },
    )
}

/** One session, from its identity to its answer. */
interface Session {
  readonly asked: CheckedAsked
  readonly endpoint: RolesAnywhereEndpoint
  readonly connection: Connection
  readonly identity: CheckedIdentity
  readonly clock: () => number
  readonly onWarning: OnRolesAnywhereWarning
  /** Somebody is told of it. */
  readonly mayCorrectClock: boolean
  readonly maxAttempts: number
  readonly answerRules: AnswerRules
  /** On the monotonic clock. */
  readonly endsMs: number
  readonly signal: AbortSignal
  readonly invocationId: string
}

async function attempts(session: Session): Promise<RolesAnywhereSession> {
  const { clock, onWarning, maxAttempts, endsMs, signal } = session
  let skewMs = 0
  for (let tries = 1; ; tries++) {
    let answer: HttpAnswer | undefined
    try {
      answer = await attempt(session, tries, skewMs)
      return readAnswer(answer, session, skewMs)
    } catch (error) {
      if (!(error instanceof RolesAnywhereError)) throw error
      const measured = answer?.status === 403 ? skewMsOf(answer.headers.date, clock()) : undefined
      if (measured !== undefined && skewMs === 0) {
        if (!session.mayCorrectClock || Math.abs(measured) > MAX_CORRECTION_MS) throw clockError(error, measured)
        skewMs = measured
        tries-- // not a fault of the service
        onWarning({
          code: 'WARN_RA_CLOCK',
          message: `this machine's clock is ${skewText(skewMs)} by that of the service: signing by the service's; set it right`,
        })
        continue
      }
      const waitMs = Math.max(retryAfterMs(answer), jitter(tries)) // never at once, whatever the answer says
      if (tries >= maxAttempts || !TRANSIENT.has(error.code) || monotonicMs() + waitMs >= endsMs) throw error
      onWarning({ code: 'WARN_RA_RETRY', message: `${error.message}; trying again` })
      await delay(waitMs, undefined, { signal })
    }
  }
}

async function attempt(session: Session, tries: number, skewMs: number): Promise<HttpAnswer> {
  const { asked, endpoint, connection, identity, clock, maxAttempts, signal, invocationId } = session
  const { trustAnchorArn, profileArn, roleArn, durationSeconds, roleSessionName } = asked
  const body = JSON.stringify({ durationSeconds, roleSessionName })
  const prepared = prepareX509Request(
    {
      host: endpoint.origin.host,
      path: endpoint.path,
      query: { profileArn, roleArn, trustAnchorArn },
      headers: {
        'amz-sdk-invocation-id': invocationId,
        'amz-sdk-request': `attempt=${tries}; max=${maxAttempts}`,
        'content-type': 'application/json',
      },
      body,
    },
    { identity, serial: identity.serial, region: endpoint.region, nowMs: clock() + skewMs },
  )
  const message = Buffer.from(prepared.stringToSign)
  const [signature, post] = await Promise.all([
    identity.sign(message, 'sha256', { signal }),
    loadPost(), // while the identity works
  ])
  await assertOwnSignature(identity, message, signature)
  const headers = { ...prepared.headersWith(signature), accept: 'application/json', 'user-agent': 'hardbound' }
  const to = { ...connection, origin: endpoint.origin, target: prepared.target, connectTimeoutMs: CONNECT_TIMEOUT_MS }
  return post({ ...to, headers, body, signal, errorOf })
}

const CODES = {
  unreachable: 'ERR_RA_UNREACHABLE',
  untrusted: 'ERR_RA_UNTRUSTED',
  response: 'ERR_RA_RESPONSE',
} as const

function errorOf(kind: PostErrorKind, message: string): RolesAnywhereError {
  const cure = kind === 'untrusted' ? ': if a proxy or a private endpoint has a CA of its own, give it as "ca"' : ''
  return new RolesAnywhereError(CODES[kind], message + cure)
}

/** A key of another certificate, or a device that errs, is found here and not by the service. */
async function assertOwnSignature(
  { publicKey }: CheckedIdentity,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<void> {
  if (await isSignatureOf(publicKey, message, 'sha256', signature)) return
  throw new RolesAnywhereError(
    'ERR_RA_MISMATCH',
    'the private key is not that of the certificate: give the key that the certificate was made for',
  )
}

function readAnswer(answer: HttpAnswer, session: Session, skewMs: number): RolesAnywhereSession {
  const { asked, endpoint, clock, answerRules, onWarning } = session
  const onOdd = ({ message }: Error): void => onWarning({ code: 'WARN_RA_ANSWER', message })
  try {
    const note = skewMs === 0 ? undefined : `this machine's clock is ${skewText(skewMs)}`
    if (answer.status < 200 || answer.status > 299) throw refusalOf(answer, endpoint.origin.host, note)
    const isLenient = answerRules === 'warn'
    const it = readSession(answer.body, asked, clock() + skewMs, isLenient ? onOdd : undefined)
    if (isLenient || it.expiration.getTime() > clock()) return it
    throw new RolesAnywhereError(
      'ERR_RA_CLOCK',
      `the session is over by this machine's clock, which is ${skewText(skewMs)}: set it right`,
    )
  } finally {
    answer.body.fill(0)
  }
}

function clockError(refusal: RolesAnywhereError, skewMs: number): RolesAnywhereError {
  const { message, awsCode, awsMessage, requestId, status } = refusal
  const why = `this machine's clock is ${skewText(skewMs)} by that of the service: set it right (${message})`
  return new RolesAnywhereError('ERR_RA_CLOCK', why, { awsCode, awsMessage, requestId, status })
}

function retryAfterMs(answer: HttpAnswer | undefined): number {
  const value = answer?.headers['retry-after']
  if (value === undefined || !/^\d{1,6}$/.test(value)) return 0
  return Math.min(Number(value), MAX_RETRY_AFTER) * 1000
}

/** Milliseconds: random up to 200, 400, 800 … ("full jitter"). */
const jitter = (tries: number): number => Math.random() * 100 * 2 ** Math.min(tries, 5)

/** On a clock that nobody sets. Not `performance`, which has Node load what a command does not need for its start. */
const monotonicMs = (): number => process.uptime() * 1000

function assertWhole(option: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return
  throw new RangeError(`"${option}" must be a whole number from 1 to ${max}, got ${value}`)
}
