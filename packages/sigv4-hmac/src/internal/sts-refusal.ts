import { StsError } from '../sts-error.ts'
import type { HttpAnswer } from '../transport.ts'
import { readXml, type XmlChildren, type XmlElement } from './xml-reader.ts'

/** How far AWS lets clocks be apart, in milliseconds. */
const MAX_SKEW_MS = 5 * 60_000
const CODE = /^[A-Za-z][A-Za-z0-9.]{0,63}$/
/** "Signature expired: 2026… is now earlier than …": all of the message that is looked at, and none of it is shown. */
const OF_TIME = /^Signature (?:expired|not yet current)\b/
const CLOCK: ReadonlySet<string> = new Set(['RequestExpired', 'RequestTimeTooSkewed'])
/** AWS SDKs and Tools Reference, "Retry behavior". */
const THROTTLING: ReadonlySet<string> = new Set([
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'TooManyRequestsException',
  'SlowDown',
  'BandwidthLimitExceeded',
  'PriorRequestNotComplete',
])

/** An answer that is not a 200, as an error. `nowMs` is this machine's clock. */
export function stsRefusal(answer: HttpAnswer, asked: { action: string; host: string; nowMs: number }): StsError {
  const { status, headers, body } = answer
  const { action, host, nowMs } = asked
  const retryAfterSeconds = retryAfter(headers['retry-after'], nowMs)
  const { code, message } = readError(body)
  const options = { awsCode: code, retryAfterSeconds }
  const about = `${action} at ${host}: ${code ?? `status ${status}`}${requestIdOf(headers['x-amzn-requestid'])}`
  if (status === 429 || (code !== undefined && THROTTLING.has(code))) {
    return new StsError('ERR_STS_THROTTLED', `${about}: too many calls`, options)
  }
  if (status >= 500 && status <= 599) {
    return new StsError('ERR_STS_UNREACHABLE', `${about}: STS has a fault of its own`, options)
  }
  if (code === undefined || status < 400) return new StsError('ERR_STS_RESPONSE', `${about}: not an answer of STS`)
  const aheadMs = nowMs - Date.parse(headers.date ?? '')
  if (isOfTime(code, message, aheadMs)) {
    return new StsError('ERR_STS_CLOCK', `${about}: this machine's clock is ${offBy(aheadMs)}; set it right`, options)
  }
  return new StsError('ERR_STS_REFUSED', `${about}: refused`, options)
}

function isOfTime(code: string, message: string, aheadMs: number): boolean {
  if (CLOCK.has(code)) return true
  return code === 'SignatureDoesNotMatch' && (OF_TIME.test(message) || Math.abs(aheadMs) > MAX_SKEW_MS)
}

function offBy(aheadMs: number): string {
  if (Number.isNaN(aheadMs)) return 'off by more than AWS accepts'
  return `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead' : 'behind'}`
}

/** Code and message of an `ErrorResponse`. */
function readError(body: Uint8Array): { code: string | undefined; message: string } {
  const root = readXml(body)
  const error = root?.name === 'ErrorResponse' ? child(root.content, 'Error') : undefined
  const [code, message] = [child(error, 'Code'), child(error, 'Message')]
  return {
    code: typeof code === 'string' && CODE.test(code) ? code : undefined,
    message: typeof message === 'string' ? message : '',
  }
}

const child = (of: XmlElement | undefined, name: string): XmlElement | undefined =>
  of instanceof Map ? (of as XmlChildren).get(name) : undefined

/** Seconds, from both forms of RFC 9110 §10.2.3. */
function retryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,6}$/.test(value)) return Number(value)
  const seconds = Math.ceil((Date.parse(value) - nowMs) / 1000)
  return Number.isNaN(seconds) ? undefined : Math.max(seconds, 0)
}

const requestIdOf = (id: string | string[] | undefined): string =>
  typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? ` (request ${id})` : ''
