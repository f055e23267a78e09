import { createHash, randomBytes } from 'node:crypto'
import type { KeyPair } from '../internal/certificate.ts'
import { merge } from '../internal/merge.ts'
import { rsaThumbprint } from '../internal/rsa-keys.ts'
import type { JsonObject } from '../kms/json.ts'
import { signJwt, verifyJwt } from '../kms/jwt.ts'
import type { EntraCall } from './test-entra.ts'

/** Entra dates its tokens back, for resources whose clock is behind. */
const BACKDATED_SECONDS = 300
const LONG_SECONDS = 7200

/** What {@link issueAccessToken} needs. */
export interface AccessTokenInit {
  readonly call: EntraCall
  /** Becomes `aud`. */
  readonly resource: string
  readonly lifetimeSeconds: number
  readonly keys: KeyPair
  /** Laid over the claims; `undefined` deletes. */
  readonly claims: object
}

/** A token in the v1.0 format that Azure's own resources take, and the answer around it. */
export function issueAccessToken({ call, resource, lifetimeSeconds, keys, claims }: AccessTokenInit): object {
  const { tenantId, clientId, method } = call
  const now = Math.floor(call.at / 1000)
  const issuer = `https://sts.windows.net/${tenantId}/`
  const principal = guidOf(`${tenantId}/${clientId}`)
  const standard = {
    aud: resource,
    iss: issuer,
    iat: now - BACKDATED_SECONDS,
    nbf: now - BACKDATED_SECONDS,
    exp: now + lifetimeSeconds,
    appid: clientId,
    appidacr: method === 'secret' ? '1' : '2',
    idp: issuer,
    idtyp: 'app',
    oid: principal,
    sub: principal,
    tid: tenantId,
    uti: randomBytes(16).toString('base64url'),
    ver: '1.0',
  }
  const kid = rsaThumbprint(keys.publicKey)
  return {
    token_type: 'Bearer',
    expires_in: lifetimeSeconds,
    ext_expires_in: lifetimeSeconds,
    ...(lifetimeSeconds > LONG_SECONDS && { refresh_in: Math.floor(lifetimeSeconds / 2) }),
    access_token: signJwt(keys.privateKey, merge(standard, claims), { x5t: kid, kid }),
  }
}

/** @returns The claims of a token that these keys signed and that is valid now. */
export function readAccessToken(token: string, keys: KeyPair, nowMs: number): JsonObject | undefined {
  const claims = verifyJwt(token, nowMs, () => keys.publicKey)
  return claims === undefined || Number(claims.nbf) > nowMs / 1000 ? undefined : claims
}

/** The object id of a service principal; here it follows from its application. */
function guidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
