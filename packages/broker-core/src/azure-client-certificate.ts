import { constants, createPrivateKey, createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { AzureCredentialError } from './azure-credential-error.ts'
import type { AssertionAlg, AssertionKey, AzureCertificateCredential } from './azure-credentials.ts'
import { isSameKey, readClientCertificate } from './internal/entra-certificate.ts'
import { openPkcs12 } from './internal/pkcs12.ts'

/** A certificate and its private key, in one of the forms they come in. */
export type ClientCertificateInit = {
  /** Default: `PS256`. */
  readonly alg?: AssertionAlg
} & (
  | {
      /** Certificate and private key, in any order; a chain may be there too. */
      readonly pem: string
      /** Of an encrypted key. */
      readonly passphrase?: string
    }
  | {
      /** PKCS #12 (RFC 7292): PBES2 with AES, or the older 3DES and RC2. */
      readonly pfx: Uint8Array
      readonly password: string
    }
)

/**
 * A client certificate whose key is in software. Of several certificates it takes the one that the key belongs to.
 *
 * @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_FORMAT`, `ERR_AZURE_CREDENTIAL_PASSWORD`, `ERR_AZURE_CREDENTIAL_KEY`.
 */
export async function clientCertificate(init: ClientCertificateInit): Promise<AzureCertificateCredential> {
  const { privateKey, certificates } =
    'pfx' in init ? await openPkcs12(init.pfx, init.password) : readPem(init.pem, init.passphrase)
  const publicKey = createPublicKey(privateKey)
  const certificate = certificates.find(({ publicKey: it }) => isSameKey(it, publicKey)) ?? certificates[0]
  if (certificate === undefined) throw malformed('there is no certificate')
  readClientCertificate(certificate.raw, publicKey) // says what is wrong, where it is
  const alg = init.alg === undefined ? {} : { alg: init.alg }
  return { kind: 'certificate', certificate: certificate.raw, key: softwareKey(privateKey, publicKey), ...alg }
}

const signAsync = promisify(sign)

function softwareKey(privateKey: KeyObject, publicKey: KeyObject): AssertionKey {
  const padding = {
    'rsassa-pss': { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
    'rsassa-pkcs1-v1_5': { padding: constants.RSA_PKCS1_PADDING },
  }
  return {
    publicKey,
    sign: (message, { scheme, hash }) => signAsync(hash, message, { key: privateKey, ...padding[scheme] }),
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g
const PRIVATE_KEY = /-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----[\s\S]*?-----END \1-----/g

function readPem(pem: string, passphrase: string | undefined) {
  const [key, second] = [...pem.matchAll(PRIVATE_KEY)]
  if (key === undefined || second !== undefined) throw malformed('there must be one private key')
  return {
    privateKey: readPrivateKey(key[0], passphrase),
    certificates: [...pem.matchAll(CERTIFICATE)].map(([block]) => readCertificate(block)),
  }
}

function readPrivateKey(key: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? key : { key, passphrase })
  } catch {
    if (!/ENCRYPTED/.test(key)) throw malformed('the private key can not be read')
    const what = passphrase === undefined ? 'is needed' : 'is wrong'
    throw new AzureCredentialError('ERR_AZURE_CREDENTIAL_PASSWORD', `the passphrase of the private key ${what}`)
  }
}

function readCertificate(block: string): X509Certificate {
  try {
    return new X509Certificate(block)
  } catch {
    throw malformed('a certificate can not be read')
  }
}

const malformed = (why: string): AzureCredentialError => new AzureCredentialError('ERR_AZURE_CREDENTIAL_FORMAT', why)
