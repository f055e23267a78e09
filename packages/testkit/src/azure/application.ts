import { type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto'

/** What an app registration and its service principal are made of. */
export interface EntraApplicationInit {
  /** A GUID. */
  readonly tenantId: string
  /** A GUID. */
  readonly clientId: string
  /** Client secrets. `expiresAt`: milliseconds since 1970; default: never. */
  readonly secrets?: readonly { readonly value: string; readonly expiresAt?: number }[]
  /** The registered public certificates, PEM, with RSA keys. Who signed them does not matter, as at Entra. */
  readonly certificates?: readonly string[]
  /** Whose assertions it takes instead of its own. All three texts are compared octet by octet. */
  readonly federatedCredentials?: readonly FederatedCredential[]
  /** What it may have tokens for. Default: `https://storage.azure.com` and `https://management.azure.com`. */
  readonly resources?: readonly string[]
}

/** A federated identity credential, with the keys of its issuer as the emulator fetches nothing. */
export interface FederatedCredential {
  readonly issuer: string
  readonly subject: string
  readonly audience: string
  readonly jwks: { readonly keys: readonly (JsonWebKey & { readonly kid?: string })[] }
}

/** An application as the emulator keeps it; ids in lower case. */
export interface EntraApplication extends Required<Omit<EntraApplicationInit, 'certificates'>> {
  readonly certificates: readonly RegisteredCertificate[]
}

/** A certificate by its thumbprints, base64url. */
export interface RegisteredCertificate {
  readonly sha1: string
  readonly sha256: string
  readonly publicKey: KeyObject
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
}

const GUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i
const RESOURCES = ['https://storage.azure.com', 'https://management.azure.com']

/** @returns Whether the text is a GUID with hyphens and nothing around it. */
export const isGuid = (text: string): boolean => GUID.test(text)

/** @throws {TypeError} on an id that is no GUID, or a certificate without an RSA key. */
export function parseApplication(init: EntraApplicationInit): EntraApplication {
  if (!isGuid(init.tenantId) || !isGuid(init.clientId)) throw new TypeError('"tenantId" and "clientId" must be GUIDs')
  return {
    tenantId: init.tenantId.toLowerCase(),
    clientId: init.clientId.toLowerCase(),
    secrets: init.secrets ?? [],
    certificates: (init.certificates ?? []).map(parseCertificate),
    federatedCredentials: init.federatedCredentials ?? [],
    resources: init.resources ?? RESOURCES,
  }
}

function parseCertificate(pem: string): RegisteredCertificate {
  const certificate = new X509Certificate(pem)
  if (certificate.publicKey.asymmetricKeyType !== 'rsa') throw new TypeError('"certificates" must have RSA keys')
  return {
    sha1: thumbprint(certificate.fingerprint),
    sha256: thumbprint(certificate.fingerprint256),
    publicKey: certificate.publicKey,
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  }
}

/** `AA:BB:...` to base64url. */
const thumbprint = (fingerprint: string): string =>
  Buffer.from(fingerprint.replaceAll(':', ''), 'hex').toString('base64url')
