import { type KeyObject, sign, verify } from 'node:crypto'
import { type JsonObject, parseObject } from './json.ts'

/** Signs a JWT with RS256. */
export function signJwt(key: KeyObject, claims: object, header: object = {}): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'RS256', typ: 'JWT', ...header })}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

/**
 * Verifies an RS256 signature and the times of a JWT.
 *
 * @param findKey The public key for the claims, which are not yet verified.
 * @returns Its claims, or `undefined` whatever is wrong with it.
 */
export function verifyJwt(
  token: string,
  nowMs: number,
  findKey: (claims: JsonObject) => KeyObject | undefined,
): JsonObject | undefined {
  const [header, payload, signature, ...rest] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return undefined
  if (parseObject(Buffer.from(header, 'base64url').toString())?.alg !== 'RS256') return undefined
  const claims = parseObject(Buffer.from(payload, 'base64url').toString())
  const key = claims === undefined ? undefined : findKey(claims)
  if (claims === undefined || key === undefined) return undefined
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))) return undefined
  const { iat, exp } = claims
  if (typeof exp !== 'number' || typeof iat !== 'number') return undefined
  const now = nowMs / 1000
  return iat > now + 60 || exp <= now ? undefined : claims
}
