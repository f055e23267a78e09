import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { KmsRefusal } from './json.ts'
import { verifyJwt } from './jwt.ts'

const SCOPES = ['https://www.googleapis.com/auth/cloudkms', 'https://www.googleapis.com/auth/cloud-platform']
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** A service account with its key, as in the JSON file that Google hands out. */
export interface ServiceAccount {
  readonly client_email: string
  /** PKCS#8 PEM. */
  readonly private_key: string
}

/** Issues and checks bearer tokens of service accounts. */
export interface GoogleOAuth {
  addServiceAccount(email: string): ServiceAccount
  /** RFC 7523, section 2.1: an assertion for a token. @throws {KmsRefusal} */
  exchange(form: string): object
  /** Takes access tokens, and JWTs that the account signed itself. @returns Its e-mail. @throws {KmsRefusal} 401 */
  authenticate(authorization: string | undefined): string
}

/** @param o.tokenUri What assertions must be addressed to. */
export function createGoogleOAuth(o: { tokenUri: () => string; now: () => number }): GoogleOAuth {
  const accounts = new Map<string, KeyObject>()
  const tokens = new Map<string, { email: string; expiresAtMs: number }>()
  const publicKeyOf = ({ iss }: { iss?: unknown }): KeyObject | undefined => accounts.get(String(iss))
  return {
    addServiceAccount(email) {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      accounts.set(email, createPublicKey(privateKey))
      return { client_email: email, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
    },
    exchange(form) {
      const { grant_type, assertion = '', ...rest } = Object.fromEntries(new URLSearchParams(form))
      if (grant_type !== GRANT || Object.keys(rest).length > 0) throw denied(400, 'unsupported_grant_type')
      const claims = verifyJwt(assertion, o.now(), publicKeyOf)
      const isShort = Number(claims?.exp) - Number(claims?.iat) <= 3600
      // Google's libraries address it to the public endpoint, wherever they send it.
      const isForUs = claims?.aud === o.tokenUri() || claims?.aud === 'https://oauth2.googleapis.com/token'
      if (claims === undefined || !isForUs || !isShort || !hasScope(claims.scope)) throw denied(400, 'invalid_grant')
      const token = `ya29.${randomBytes(32).toString('base64url')}`
      tokens.set(token, { email: String(claims.iss), expiresAtMs: o.now() + 3_600_000 })
      return { access_token: token, expires_in: 3599, token_type: 'Bearer' }
    },
    authenticate(authorization) {
      const [, bearer = ''] = /^Bearer (\S+)$/.exec(authorization ?? '') ?? []
      const token = tokens.get(bearer)
      if (token !== undefined && token.expiresAtMs > o.now()) return token.email
      const claims = verifyJwt(bearer, o.now(), publicKeyOf)
      const isOwn = claims !== undefined && claims.sub === claims.iss
      if (!isOwn || !(hasScope(claims.scope) || claims.aud === 'https://cloudkms.googleapis.com/')) {
        throw new KmsRefusal(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
      }
      return String(claims.iss)
    },
  }
}

const hasScope = (scope: unknown): boolean =>
  String(scope)
    .split(' ')
    .some((it) => SCOPES.includes(it))
const denied = (status: number, code: string): KmsRefusal => new KmsRefusal(status, code, code)
