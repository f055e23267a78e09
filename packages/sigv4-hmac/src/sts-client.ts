import { setTimeout as delay } from 'node:timers/promises'
import { type StsEndpointInit, stsEndpoint } from './aws-endpoint.ts'
import { createHmacSigner } from './create-hmac-signer.ts'
import type { HmacBackend } from './hmac-backend.ts'
import { whole } from './internal/checks.ts'
import { readSession, type StsAsked } from './internal/read-session.ts'
import { stsForm } from './internal/sts-form.ts'
import { checkAssumeRole, checkGetSessionToken, partsOfRole } from './internal/sts-input-checks.ts'
import { stsRefusal } from './internal/sts-refusal.ts'
import { StsError, type StsErrorCode } from './sts-error.ts'
import type { AssumeRoleInput, GetSessionTokenInput } from './sts-input.ts'
import type { StsSession } from './sts-session.ts'
import { type ConnectionInit, checkConnection, loadPost, type PostErrorKind, withDeadline } from './transport.ts'

/** What {@link createStsClient} needs. */
export interface StsClientInit extends StsEndpointInit, ConnectionInit {
  /** Has the key `AWS4<secret access key>`. */
  backend: HmacBackend
  /** `AKIA…`: a long-term key of an IAM user; or `ASIA…` with its `sessionToken`, for role chaining. */
  accessKeyId: string
  /** Of temporary credentials whose secret the backend has. AWS has no GetSessionToken for those. */
  sessionToken?: string | undefined
  /** For everything, the backend and all tries included, in whole milliseconds. Default: 10 000. */
  timeoutMs?: number | undefined
  /** Tries in all while STS is unreachable or throttles. Default: 3. */
  maxAttempts?: number | undefined
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: (() => number) | undefined
}

/** Gets sessions of STS. */
export interface StsClient {
  /** A session of a role. @throws {TypeError | RangeError} on a field that can't be right. */
  assumeRole(input: AssumeRoleInput, options?: { signal?: AbortSignal }): Promise<StsSession>
  /** A session of the user itself. @throws {TypeError | RangeError} on a field that can't be right. */
  getSessionToken(input?: GetSessionTokenInput, options?: { signal?: AbortSignal }): Promise<StsSession>
}

/** {@link StsClient} whose input is checked at once, and sent later. */
export interface StsRequests {
  assumeRole(input: AssumeRoleInput): StsRequest
  getSessionToken(input?: GetSessionTokenInput): StsRequest
}
type StsRequest = (options?: { signal?: AbortSignal }) => Promise<StsSession>

const LONG_TERM_KEY_ID = /^(?!ASIA)\w{16,128}$/
const TEMPORARY_KEY_ID = /^ASIA\w{12,124}$/
/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2_147_483_647
/** Milliseconds for name look-up, TCP, proxy and TLS together. */
const CONNECT_TIMEOUT_MS = 3_000
const TRANSIENT: ReadonlySet<StsErrorCode> = new Set<StsErrorCode>(['ERR_STS_UNREACHABLE', 'ERR_STS_THROTTLED'])

/**
 * Makes a client for two actions of STS, whose requests are signed by a backend. It follows no redirects and reads neither
 * proxies nor endpoints from the environment.
 *
 * Its methods throw {@link StsError}, and what the backend throws.
 *
 * @throws {TypeError | RangeError} on an option that can't be right.
 * @see {@link https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html AWS STS API Reference}
 */
export function createStsClient(init: StsClientInit): StsClient {
  const requests = stsRequests(init)
  return {
    assumeRole: async (input, options) => requests.assumeRole(input)(options),
    getSessionToken: async (input, options) => requests.getSessionToken(input)(options),
  }
}

/** As {@link createStsClient}, in two steps. */
export function stsRequests(init: StsClientInit): StsRequests {
  const { backend, accessKeyId, sessionToken, timeoutMs = 10_000, maxAttempts = 3, clock = Date.now } = init
  whole(1, MAX_TIMER_MS)(timeoutMs, 'timeoutMs')
  whole(1, 100)(maxAttempts, 'maxAttempts')
  if (!(sessionToken === undefined ? LONG_TERM_KEY_ID : TEMPORARY_KEY_ID).test(accessKeyId)) {
    throw new TypeError('"accessKeyId" must be a long-term access key id, such as AKIA…, or ASIA… with "sessionToken"')
  }
  const { url: endpoint, partition, signingRegion } = stsEndpoint(init)
  const url = new URL(endpoint)
  const connection = checkConnection(init)
  const token = sessionToken === undefined ? {} : { sessionToken }
  const signer = createHmacSigner({ backend, accessKeyId, ...token, region: signingRegion, service: 'sts', clock })

  async function attempt(asked: StsAsked, body: string, signal: AbortSignal): Promise<StsSession> {
    const [headers, post] = await Promise.all([
      signer.sign({ method: 'POST', url, headers: FORM, body }, { signal }),
      loadPost(), // while the backend works
    ])
    const to = { ...connection, origin: url, target: url.pathname, connectTimeoutMs: CONNECT_TIMEOUT_MS }
    const answer = await post({ ...to, headers, body, signal, errorOf })
    try {
      if (answer.status === 200) return readSession(answer.body, asked, clock())
      throw stsRefusal(answer, { action: asked.action, host: url.host, nowMs: clock() })
    } finally {
      answer.body.fill(0)
    }
  }

  async function attempts(asked: StsAsked, signal: AbortSignal): Promise<StsSession> {
    const endsMs = monotonicMs() + timeoutMs
    const body = stsForm(asked.action, asked.input)
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(asked, body, signal)
      } catch (error) {
        if (tries >= maxAttempts || !(error instanceof StsError) || !TRANSIENT.has(error.code)) throw error
        const waitMs = error.retryAfterSeconds === undefined ? jitter(tries) : error.retryAfterSeconds * 1000
        if (monotonicMs() + waitMs >= endsMs) throw error
        await delay(waitMs, undefined, { signal })
      }
    }
  }

  const request = (asked: StsAsked): StsRequest => {
    const about = `${asked.action} at ${url.host}`
    const onTimeout = () => new StsError('ERR_STS_TIMEOUT', `${about}: no session within ${timeoutMs} ms`)
    const onAbort = () => new StsError('ERR_STS_ABORTED', `${about}: aborted`)
    return ({ signal } = {}) =>
      withDeadline({ timeoutMs, signal, onTimeout, onAbort }, (inner) => attempts(asked, inner))
  }
  return {
    assumeRole(given) {
      const input = checkAssumeRole(given, accessKeyId)
      const role = partsOfRole(input.RoleArn).partition
      if (partition !== undefined && role !== partition) {
        throw new TypeError(`"assumeRole.RoleArn" is in partition ${role}, "region" in ${partition}`)
      }
      return request({ action: 'AssumeRole', input })
    },
    getSessionToken: (input = {}) => request({ action: 'GetSessionToken', input: checkGetSessionToken(input) }),
  }
}

const FORM = {
  'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
  accept: 'text/xml',
  'user-agent': 'hardbound',
}

const CODES = {
  unreachable: 'ERR_STS_UNREACHABLE',
  untrusted: 'ERR_STS_UNTRUSTED',
  response: 'ERR_STS_RESPONSE',
} as const
const errorOf = (kind: PostErrorKind, message: string): StsError => new StsError(CODES[kind], message)

/** Milliseconds: random up to 200, 400, 800 … ("full jitter"). */
const jitter = (tries: number): number => Math.random() * 100 * 2 ** Math.min(tries, 5)

/** On a clock that nobody sets. Not `performance`, which has Node load what a command does not need for its start. */
const monotonicMs = (): number => process.uptime() * 1000
