import type { HttpAnswer } from '@hardbound/sigv4-hmac/transport'
import { RolesAnywhereError } from './errors.ts'

const CODE = /^[A-Za-z][A-Za-z0-9.]{0,63}$/
/** Characters of AWS's message that are shown at most. */
const MAX_MESSAGE = 400
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

/** What a message of the service means to the one who reads it. The first that fits is taken. */
const CURES: readonly (readonly [RegExp, string])[] = [
  [/revoked/i, 'the certificate is in a revocation list of the trust anchor: have a new one issued'],
  [
    /insufficient certificate/i,
    'the service takes X.509 v3 with CA:FALSE, digitalSignature in the key usage, and SHA-256 or better',
  ],
  [
    /untrusted (?:signing )?certificate/i,
    'the certificate does not lead to the trust anchor: check "trustAnchorArn", that the anchor is enabled and has the CA which issued it, and give the intermediates in between',
  ],
  [
    /invalid signature/i,
    "check this machine's clock, and that nothing between it and AWS changes the request; key and certificate were found to belong together",
  ],
  [
    /rolesessionname|role session name/i,
    'enable "accept role session name" in the profile, or leave out "roleSessionName"',
  ],
  [
    /session tag/i,
    "a value of the certificate (subject, issuer, SAN) can not be a session tag: change the profile's attribute mapping, or the certificate",
  ],
  [
    /assume ?role|assume the role/i,
    'check that the role trusts rolesanywhere.amazonaws.com for sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, and that its conditions fit this certificate',
  ],
  [/duration/i, 'ask for less "durationSeconds": the profile and the role have a maximum each'],
  [/disabled/i, 'enable it in IAM Roles Anywhere'],
  [/not found|does not exist/i, 'check the ARNs and the region'],
]

/**
 * An answer that is not a success, as an error. A body that is not one of the service is not quoted.
 *
 * @param note What else to say to a refusal.
 */
export function refusalOf({ status, headers, body }: HttpAnswer, host: string, note?: string): RolesAnywhereError {
  const fields = fieldsOf(body)
  const code = codeOf(headers['x-amzn-errortype'] ?? fields.code ?? fields.__type)
  const awsMessage = messageOf(fields.message ?? fields.Message)
  const requestId = requestIdOf(headers['x-amzn-requestid'])
  const known = { awsCode: code, awsMessage, requestId, status }
  const about = `CreateSession at ${host}: ${code ?? `status ${status}`}${requestId === undefined ? '' : ` (request ${requestId})`}`
  if (status === 429 || (code !== undefined && THROTTLING.has(code))) {
    return new RolesAnywhereError('ERR_RA_THROTTLED', `${about}: too many calls`, known)
  }
  if (status >= 500 && status <= 599) {
    return new RolesAnywhereError('ERR_RA_UNREACHABLE', `${about}: the service has a fault of its own`, known)
  }
  if (status >= 300 && status <= 399) {
    return new RolesAnywhereError('ERR_RA_RESPONSE', `${about}: redirects are not followed; check "endpoint"`, known)
  }
  if (code === undefined || status < 400) {
    return new RolesAnywhereError('ERR_RA_RESPONSE', `${about}: not an answer of IAM Roles Anywhere`, known)
  }
  const cure = CURES.find(([form]) => form.test(awsMessage ?? ''))?.[1]
  const said = [awsMessage ?? 'refused', cure, note].filter((it) => it !== undefined)
  return new RolesAnywhereError('ERR_RA_REFUSED', `${about}: ${said.join('; ')}`, known)
}

/** `AccessDeniedException:http://…` and `com.amazonaws…#AccessDeniedException` are the same code. */
function codeOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const code = value.split(':')[0]?.split('#').at(-1)?.trim() ?? ''
  return CODE.test(code) ? code : undefined
}

/** On one line, without what a terminal could take for a command or a reader for the end of the line. */
function messageOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const clean = value
    .slice(0, 4 * MAX_MESSAGE)
    .replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
  if (clean === '') return undefined
  return clean.length > MAX_MESSAGE ? `${clean.slice(0, MAX_MESSAGE)}…` : clean
}

const requestIdOf = (id: unknown): string | undefined =>
  typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? id : undefined

function fieldsOf(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
