import { createHash, type KeyObject, sign } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { productionClaims } from './claims.ts'
import { makeAttestationChain } from './internal/attestation-chain.ts'
import type { KeyPair } from './internal/certificate.ts'
import { type Fault, listen } from './internal/http.ts'
import { merge } from './internal/merge.ts'
import { giveBackKeys, takeKeyNow, takeKeys } from './internal/rsa-keys.ts'
import { createTestPki } from './pki.ts'

/** `iss` of every Confidential Space token. */
const ISSUER = 'https://confidentialcomputing.googleapis.com'
const TOKEN_LIFETIME_SECONDS = 3600

/** How a token is signed: by a key of the JWKS, or by the leaf of a certificate chain in its header. */
export type TokenType = 'OIDC' | 'PKI'

/** A key of the issuer's JWKS. */
export interface IssuerKey {
  /** 40 hex characters. */
  readonly kid: string
  /** PKCS#8 PEM. */
  readonly privateKeyPem: string
  readonly jwk: object
}

/** What {@link TestIssuer.sign} may do other than usual. */
export interface SignOptions {
  /** Laid over the protected header; `undefined` deletes. The signature stays RS256 whatever `alg` says. */
  readonly header?: object
  /** Signs with this key of the JWKS; a `kid` that is not there is only written into the header. */
  readonly kid?: string
  readonly tokenType?: TokenType
}

/** What a token is to say. */
export interface TokenOptions {
  readonly audience: string
  /** One becomes a string in `eat_nonce`, several an array, none leaves it out. */
  readonly nonces?: readonly string[]
  /** Merged into {@link productionClaims} and the standard claims; `undefined` deletes. */
  readonly claims?: object
  /** Default: `OIDC`. */
  readonly tokenType?: TokenType
}

/** A running stand-in for Google's attestation service. */
export interface TestIssuer {
  readonly issuer: typeof ISSUER
  /** `https://localhost:<port>/jwks` */
  readonly jwksUrl: string
  /** The authority of that HTTPS server, PEM. */
  readonly caPem: string
  /** SHA-256 of the PKI root's DER, lowercase hex. */
  readonly pkiRootSha256: string
  readonly pkiRootPem: string
  /** What the JWKS publishes. The first one signs. */
  readonly keys: readonly IssuerKey[]
  /** How often the JWKS was asked for, faults included. */
  readonly jwksRequests: number
  /** Replaces the answer to JWKS requests while set. */
  jwksFault: Fault | undefined
  /** Signs any claims, exactly as given. */
  sign(claims: object, o?: SignOptions): string
  /** A well-formed token, issued now, good for an hour. */
  token(o: TokenOptions): string
  /** Signs with another key from now on. Unless `keepOld`, the JWKS forgets all earlier ones. */
  rotate(o?: { keepOld?: boolean }): void
  close(): Promise<void>
}

/**
 * Starts an attestation issuer: RS256 keys, a JWKS over HTTPS, and a certificate chain for PKI tokens.
 *
 * @param o.now Milliseconds since 1970; default: the real clock.
 */
export async function startIssuer(o: { now?: () => number } = {}): Promise<TestIssuer> {
  const now = o.now ?? Date.now
  const taken = await takeKeys(5)
  const [current, next, root, intermediate, leaf] = taken as [KeyPair, KeyPair, KeyPair, KeyPair, KeyPair]
  const chain = await makeAttestationChain([root, intermediate, leaf], now())
  const pki = await createTestPki()
  const https = await pki.issue({ commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] })
  let published = [publishedKey(current), publishedKey(next)]
  let jwksRequests = 0

  const answer = (req: IncomingMessage, res: ServerResponse) => {
    if (req.method !== 'GET' || req.url !== '/jwks') return void res.writeHead(404).end()
    jwksRequests++
    if (issuer.jwksFault !== undefined) return issuer.jwksFault(req, res)
    res.writeHead(200, {
      'content-type': 'application/json; charset=UTF-8',
      'cache-control': 'public, max-age=21600, must-revalidate, no-transform',
    })
    res.end(JSON.stringify({ keys: published.map(({ jwk }) => jwk) }))
  }
  const server = createServer({ cert: https.certPem, key: https.keyPem, minVersion: 'TLSv1.2' }, answer)
  const listening = await listen(server)

  const issuer: TestIssuer = {
    issuer: ISSUER,
    jwksUrl: `https://localhost:${listening.port}/jwks`,
    caPem: pki.caPem,
    pkiRootSha256: chain.rootSha256,
    pkiRootPem: chain.rootPem,
    jwksFault: undefined,
    get keys() {
      return published.map(({ kid, privateKeyPem, jwk }) => ({ kid, privateKeyPem, jwk }))
    },
    get jwksRequests() {
      return jwksRequests
    },
    sign(claims, { header = {}, kid, tokenType = 'OIDC' } = {}) {
      const signer = published.find((key) => key.kid === kid) ?? published[0]!
      const [standard, privateKey] =
        tokenType === 'PKI'
          ? [{ alg: 'RS256', kid: kid ?? chain.kid, typ: 'JWT', x5c: chain.x5c }, chain.leaf.privateKey]
          : [{ alg: 'RS256', kid: kid ?? signer.kid, typ: 'JWT' }, signer.keys.privateKey]
      return signJwt(merge(standard, header), claims, privateKey)
    },
    token({ audience, nonces = [], claims = {}, tokenType = 'OIDC' }) {
      const iat = Math.floor(now() / 1000)
      const standard = {
        iss: ISSUER,
        aud: audience,
        iat,
        nbf: iat,
        exp: iat + TOKEN_LIFETIME_SECONDS,
        eat_nonce: nonces.length > 1 ? nonces : nonces[0],
      }
      return issuer.sign(merge(merge(productionClaims(), standard), claims), { tokenType })
    },
    rotate({ keepOld = false } = {}) {
      const key = takeKeyNow()
      taken.push(key)
      published = [publishedKey(key), ...(keepOld ? published : [])]
    },
    async close() {
      giveBackKeys(taken.splice(0))
      await listening.close()
    },
  }
  return issuer
}

function publishedKey(keys: KeyPair): IssuerKey & { keys: KeyPair } {
  const spki = keys.publicKey.export({ format: 'der', type: 'spki' })
  const kid = createHash('sha1').update(spki).digest('hex')
  return {
    kid,
    keys,
    privateKeyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    jwk: { ...keys.publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid },
  }
}

/** RFC 7515 §7.1, RS256. */
function signJwt(header: object, claims: object, key: KeyObject): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
