import { constants, createHash, randomUUID, verify } from 'node:crypto'
import { AzureCredentialError } from './azure-credential-error.ts'
import type { AssertionAlg, AssertionKey } from './azure-credentials.ts'
import { assertInValidity, readClientCertificate } from './internal/entra-certificate.ts'

/** Seconds. Microsoft recommends 5 to 10 minutes. */
const LIFETIME_SECONDS = 600

export interface ClientAssertionInit {
  /** Application (client) id: `iss` and `sub`. */
  readonly clientId: string
  /** The exact URL that the assertion is posted to: `aud`. */
  readonly tokenUrl: string
  /** PEM or DER; the one that is registered with the application. */
  readonly certificate: string | Uint8Array
  readonly key: AssertionKey
  /** Default: `PS256`. */
  readonly alg?: AssertionAlg
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: () => number
  /** Passed on to the key. */
  readonly signal?: AbortSignal
}

/**
 * Signs a client assertion (RFC 7523 §3) as Entra wants it: `x5t#S256` names the certificate, the `jti` is new each time, and it
 * holds for ten minutes. The signature is verified before it is given back.
 *
 * @returns a compact JWS. Secret until it has expired.
 * @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_FORMAT`, `ERR_AZURE_CREDENTIAL_KEY`, `ERR_AZURE_CREDENTIAL_VALIDITY`,
 *   `ERR_AZURE_CREDENTIAL_SIGNATURE`; and what the key throws.
 * @see {@link https://learn.microsoft.com/entra/identity-platform/certificate-credentials}
 */
export async function signClientAssertion(init: ClientAssertionInit): Promise<string> {
  const { clientId, tokenUrl, key, alg = 'PS256', clock = Date.now, signal } = init
  const x509 = readClientCertificate(init.certificate, key.publicKey)
  const now = clock()
  assertInValidity(x509, now)
  const issuedAt = Math.floor(now / 1000)
  const header = { alg, typ: 'JWT', 'x5t#S256': createHash('sha256').update(x509.raw).digest('base64url') }
  const claims = {
    aud: tokenUrl,
    iss: clientId,
    sub: clientId,
    jti: randomUUID(),
    nbf: issuedAt,
    iat: issuedAt,
    exp: issuedAt + LIFETIME_SECONDS,
  }
  const message = Buffer.from(`${encode(header)}.${encode(claims)}`)
  const scheme = alg === 'PS256' ? 'rsassa-pss' : 'rsassa-pkcs1-v1_5'
  const signature = await key.sign(message, { scheme, hash: 'sha256' }, signal === undefined ? {} : { signal })
  if (!isSignature(message, signature, key, alg)) {
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_SIGNATURE', `the key's ${alg} signature does not verify`)
  }
  return `${message.toString()}.${Buffer.from(signature).toString('base64url')}`
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Some devices sign PSS with the longest salt there is room for; Entra refuses that. */
function isSignature(message: Uint8Array, signature: Uint8Array, { publicKey }: AssertionKey, alg: AssertionAlg) {
  const padding =
    alg === 'PS256'
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : { padding: constants.RSA_PKCS1_PADDING }
  return verify('sha256', message, { key: publicKey, ...padding }, signature)
}
