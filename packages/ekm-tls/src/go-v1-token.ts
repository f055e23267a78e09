import { createHmac, timingSafeEqual } from 'node:crypto'

const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')

/**
 * The request token of the published Go programs: a JWT signed with HS256 under the keying material (RFC 7515 §3.1,
 * RFC 7518 §3.2).
 *
 * @param claims What is asked for; its JSON text is what gets signed.
 * @param ekm 32 octets exported with {@link GO_V1_EXPORTER}.
 */
export function signGoV1Token(claims: Readonly<Record<string, unknown>>, ekm: Uint8Array): string {
  const signed = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  return `${signed}.${mac(signed, ekm).toString('base64url')}`
}

/**
 * Checks the signature of a Go-v1 request token and gives back its segments, decoded; reading them is the caller's.
 *
 * @returns `undefined` when the token is not three canonical segments or the signature is wrong.
 */
export function openGoV1Token(token: string, ekm: Uint8Array): { header: Buffer; claims: Buffer } | undefined {
  const [header, claims, signature, ...rest] = token.split('.').map(decodeSegment)
  if (header === undefined || claims === undefined || signature === undefined || rest.length > 0) return undefined
  const expected = mac(token.slice(0, token.lastIndexOf('.')), ekm)
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) return undefined
  return { header, claims }
}

const mac = (signed: string, ekm: Uint8Array): Buffer => createHmac('sha256', ekm).update(signed, 'latin1').digest()

/** Canonical base64url only (RFC 4648 §3.5): one text for one value. */
function decodeSegment(text: string): Buffer | undefined {
  const value = Buffer.from(text, 'base64url')
  return value.toString('base64url') === text ? value : undefined
}
