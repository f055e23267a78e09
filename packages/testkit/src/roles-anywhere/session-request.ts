import { AwsRefusal } from '../errors.ts'
import { headerValues, queryPairs, splitTarget } from '../internal/sigv4-canonical.ts'
import type { SignedHttpRequest } from '../sigv4-verify.ts'
import { invalid, RolesAnywhereRefusal } from './refusal.ts'

/** A checked CreateSession request. */
export interface SessionRequest {
  readonly profileArn: string
  readonly roleArn: string
  readonly trustAnchorArn: string
  readonly arnsIn: 'query' | 'body'
  readonly durationSeconds: number | undefined
  readonly roleSessionName: string | undefined
}

const ARNS = { profileArn: 'profile', roleArn: 'role', trustAnchorArn: 'trust-anchor' } as const
/** The last two: deprecated, and never used by a client so far. */
const MEMBERS = [...Object.keys(ARNS), 'durationSeconds', 'roleSessionName', 'sessionName', 'instanceProperties']
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/
const [MIN_SECONDS, MAX_SECONDS] = [900, 43_200]

/**
 * Reads query and body.
 *
 * @throws {RolesAnywhereRefusal} `ValidationException`, `UnsupportedMediaTypeException`
 */
export function parseSessionRequest(request: SignedHttpRequest): SessionRequest {
  const query = queryOf(request)
  const body = bodyOf(request)
  const arn = (name: keyof typeof ARNS): string => arnOf(name, query.get(name), body[name])
  const [profileArn, roleArn, trustAnchorArn] = [arn('profileArn'), arn('roleArn'), arn('trustAnchorArn')]
  return {
    profileArn,
    roleArn,
    trustAnchorArn,
    arnsIn: query.size > 0 ? 'query' : 'body',
    durationSeconds: durationOf(body.durationSeconds),
    roleSessionName: sessionNameOf(body.roleSessionName),
  }
}

/** Whether a text is an ARN of the kind that this parameter has. */
export function isArn(text: string, kind: 'profile' | 'role' | 'trust-anchor'): boolean {
  const service = kind === 'role' ? 'iam:' : 'rolesanywhere:[a-z0-9-]+'
  return new RegExp(`^arn:aws[a-z-]*:${service}:\\d{12}:${kind}\\/[\\w+=,.@\\/-]+$`).test(text)
}

function queryOf({ target }: SignedHttpRequest): Map<string, string> {
  try {
    const pairs = queryPairs(splitTarget(target)[1])
    const query = new Map(pairs)
    const unknown = [...query.keys()].find((name) => !Object.hasOwn(ARNS, name))
    if (unknown !== undefined || query.size < pairs.length)
      throw invalid(`Unexpected or repeated parameter '${unknown}'`)
    return query
  } catch (error) {
    if (error instanceof AwsRefusal) throw invalid(error.message)
    throw error
  }
}

function bodyOf(request: SignedHttpRequest): Record<string, unknown> {
  if (request.body.length === 0) return {}
  const [type = ''] = headerValues(request, 'content-type')
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new RolesAnywhereRefusal('UnsupportedMediaTypeException', `Content-Type is not application/json`)
  }
  const body = parseJson(Buffer.from(request.body).toString())
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('The body is not a JSON object')
  const unknown = Object.keys(body).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) throw invalid(`Unexpected member '${unknown}'`)
  return body as Record<string, unknown>
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('The body is not JSON')
  }
}

function arnOf(name: keyof typeof ARNS, inQuery: string | undefined, inBody: unknown): string {
  if (inQuery !== undefined && inBody !== undefined && inQuery !== inBody) throw invalid(`Two values at '${name}'`)
  const arn = inQuery ?? inBody
  if (arn === undefined)
    throw invalid(
      `1 validation error detected: Value at '${name}' failed to satisfy constraint: Member must not be null`,
    )
  if (typeof arn !== 'string' || !isArn(arn, ARNS[name]))
    throw constraint(arn, name, 'satisfy the pattern of such an ARN')
  return arn
}

function durationOf(seconds: unknown): number | undefined {
  if (seconds === undefined) return undefined
  if (!Number.isInteger(seconds)) throw invalid("Value at 'durationSeconds' is not an integer")
  const value = seconds as number
  if (value < MIN_SECONDS)
    throw constraint(value, 'durationSeconds', `have value greater than or equal to ${MIN_SECONDS}`)
  if (value > MAX_SECONDS) throw constraint(value, 'durationSeconds', `have value less than or equal to ${MAX_SECONDS}`)
  return value
}

function sessionNameOf(name: unknown): string | undefined {
  if (name === undefined) return undefined
  if (typeof name === 'string' && SESSION_NAME.test(name)) return name
  throw constraint(name, 'roleSessionName', 'satisfy regular expression pattern: [\\w+=,.@-]{2,64}')
}

const constraint = (value: unknown, name: string, must: string): RolesAnywhereRefusal =>
  invalid(
    `1 validation error detected: Value '${String(value)}' at '${name}' failed to satisfy constraint: Member must ${must}`,
  )
