import { type KeyObject, X509Certificate } from 'node:crypto'
import { AzureCredentialError } from '../azure-credential-error.ts'

const MIN_MODULUS_BITS = 2048

/**
 * Reads a client certificate, and holds the key against it.
 *
 * @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_FORMAT`, `ERR_AZURE_CREDENTIAL_KEY`.
 */
export function readClientCertificate(certificate: string | Uint8Array, publicKey: KeyObject): X509Certificate {
  const x509 = parse(certificate)
  assertRsa(publicKey)
  if (!isSameKey(x509.publicKey, publicKey)) {
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_KEY', `the key is not that of ${nameOf(x509)}`)
  }
  return x509
}

/** Keys of two kinds are not compared: Node 20 would leave an error behind, for the next key that is read. */
export const isSameKey = (a: KeyObject, b: KeyObject): boolean =>
  a.asymmetricKeyType === b.asymmetricKeyType && a.equals(b)

/** @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_KEY` */
export function assertRsa(key: KeyObject): void {
  if (key.asymmetricKeyType !== 'rsa') {
    const why = `Entra takes client assertions of RSA keys only, and this one is ${key.asymmetricKeyType ?? 'secret'}`
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_KEY', why)
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0 // of RSA only: of a damaged EC key they end the process (Node 20)
  if (bits < MIN_MODULUS_BITS) {
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_KEY', `the RSA key has ${bits} bits; 2048 are the least`)
  }
}

/**
 * @param now Milliseconds since the epoch.
 * @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_VALIDITY`
 */
export function assertInValidity(x509: X509Certificate, now: number): void {
  if (now >= Date.parse(x509.validFrom) && now <= Date.parse(x509.validTo)) return
  const why = `${nameOf(x509)} is valid from ${x509.validFrom} to ${x509.validTo}`
  throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_VALIDITY', why)
}

/** What the Azure portal shows too. */
const nameOf = ({ fingerprint }: X509Certificate): string =>
  `the certificate with SHA-1 thumbprint ${fingerprint.replaceAll(':', '')}`

function parse(certificate: string | Uint8Array): X509Certificate {
  try {
    return new X509Certificate(certificate)
  } catch {
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_FORMAT', 'the certificate is neither PEM nor DER')
  }
}
