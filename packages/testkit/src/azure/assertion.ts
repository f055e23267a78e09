import { constants, type KeyObject, verify } from 'node:crypto'
import { type JsonObject, parseObject } from '../kms/json.ts'
import { EntraRefusal } from './refusal.ts'

/** What clocks may differ by, in seconds, both at nbf and at exp. */
const LEEWAY_SECONDS = 300

/** A JWT taken apart, not verified. */
export interface Assertion {
  readonly header: JsonObject
  readonly claims: JsonObject
  /** What the signature is about. */
  readonly input: Buffer
  readonly signature: Buffer
}

/** Takes a compact JWS apart (RFC 7515 §7.1). @throws {EntraRefusal} AADSTS50027 */
export function parseAssertion(jwt: string): Assertion {
  const parts = jwt.split('.')
  const [header, claims, signature] = parts.map(fromBase64Url)
  const read = (octets: Buffer | undefined) => (octets === undefined ? undefined : parseObject(octets.toString()))
  const assertion = { header: read(header), claims: read(claims) }
  if (parts.length !== 3 || !assertion.header || !assertion.claims || !signature?.length) throw invalid('malformed')
  if (assertion.header.typ !== undefined && assertion.header.typ !== 'JWT') throw invalid('typ')
  if ('crit' in assertion.header) throw invalid('crit') // RFC 7515 §4.1.11: understood or refused
  return {
    header: assertion.header,
    claims: assertion.claims,
    input: Buffer.from(`${parts[0]}.${parts[1]}`),
    signature,
  }
}

/** RFC 7518 §3.3 and §3.5: for PS256 the salt has 32 octets, neither more nor fewer. */
export function hasSignatureOf(key: KeyObject, alg: 'RS256' | 'PS256', { input, signature }: Assertion): boolean {
  const padding =
    alg === 'PS256'
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
      : { padding: constants.RSA_PKCS1_PADDING }
  return verify('sha256', input, { key, ...padding }, signature)
}

/** @throws {EntraRefusal} AADSTS700024 unless nbf (where there is one) and exp say that it is valid now. */
export function assertCurrent({ nbf, exp }: JsonObject, nowMs: number): void {
  const now = nowMs / 1000
  const isCurrent =
    typeof exp === 'number' &&
    exp + LEEWAY_SECONDS > now &&
    (nbf === undefined || (typeof nbf === 'number' && nbf - LEEWAY_SECONDS <= now))
  if (!isCurrent) throw new EntraRefusal('AADSTS700024', 'Client assertion is not within its valid time range')
}

/** AADSTS50027: what is wrong with a JWT as such. */
export const invalid = (what: string): EntraRefusal =>
  new EntraRefusal('AADSTS50027', `JWT token is invalid or malformed: ${what}`)

/** No padding, no stray bits: there is one way to write each octet string. */
function fromBase64Url(text: string): Buffer | undefined {
  const octets = Buffer.from(text, 'base64url')
  return octets.toString('base64url') === text ? octets : undefined
}
