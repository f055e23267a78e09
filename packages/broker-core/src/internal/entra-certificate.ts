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
  if (!x509.publicKey.equals(publicKey)) {
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_KEY', `the key is not that of ${nameOf(x509)}`)
  }
  return x509
}

/** @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_KEY` */
export function assertRsa({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): void {
  if (asymmetricKeyType !== 'rsa') {
    const why = `Entra takes client assertions of RSA keys only, and this one is ${asymmetricKeyType ?? 'secret'}`
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_KEY', why)
  }
  const bits = asymmetricKeyDetails?.modulusLength ?? 0
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
