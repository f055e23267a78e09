import type { TokenType } from '../issuer.ts'

/** What a POST to a token endpoint asks for. */
export interface TokenRequest {
  readonly audience: string
  readonly nonces: readonly string[]
  readonly tokenType: TokenType
}

/** The launcher's answer to what it does not like: a status and a plain text. */
export class LauncherRefusal extends Error {
  override readonly name = 'LauncherRefusal'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const FIELDS = ['audience', 'token_type', 'nonces', 'aws_principal_tag_options']
const RESERVED_AUDIENCES = ['https://sts.googleapis.com', 'https://sts.google.com']
const MAX_AUDIENCE_OCTETS = 512
const MAX_NONCES = 6
/** The stricter of the two bounds that Google documents, in octets. */
const MIN_NONCE_OCTETS = 10
const MAX_NONCE_OCTETS = 74

/**
 * Decodes the body as strictly as the launcher and the service behind it do together.
 *
 * @throws {LauncherRefusal} 400 on an unknown field, a field of another type, or a value out of bounds.
 */
export function parseTokenRequest(body: Buffer): TokenRequest {
  const fields = parseObject(body)
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) throw refusal(`json: unknown field ${JSON.stringify(unknown)}`)
  const { audience = '', token_type: tokenType = '', nonces = [] } = fields
  if (typeof audience !== 'string' || typeof tokenType !== 'string' || !isStringArray(nonces)) {
    throw refusal('json: cannot unmarshal value into Go struct field')
  }
  if (audience === '') throw refusal('use GET request for the default identity token')
  if (tokenType === '') throw refusal('token_type is a required parameter')
  assertService(audience, nonces)
  // The real launcher turns an unknown type into "unspecified"; here a caller's mistake is to be seen.
  if (tokenType !== 'OIDC' && tokenType !== 'PKI') throw refusal('token_type is not one that the emulator issues')
  return { audience, nonces, tokenType }
}

/** What the attestation service checks, not the launcher. */
function assertService(audience: string, nonces: readonly string[]): void {
  const fail = (what: string) => refusal(`failed to retrieve custom attestation service token: ${what}`)
  if (Buffer.byteLength(audience) > MAX_AUDIENCE_OCTETS) throw fail('audience is too long')
  if (RESERVED_AUDIENCES.includes(audience)) throw fail('audience is reserved')
  if (nonces.length > MAX_NONCES) throw fail('too many nonces')
  for (const nonce of nonces) {
    const octets = Buffer.byteLength(nonce)
    if (octets < MIN_NONCE_OCTETS || octets > MAX_NONCE_OCTETS) throw fail('nonce length is out of range')
  }
}

function parseObject(body: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    throw refusal('invalid JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('not a JSON object')
  return value as Record<string, unknown>
}

const refusal = (message: string): LauncherRefusal => new LauncherRefusal(400, message)

const isStringArray = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
