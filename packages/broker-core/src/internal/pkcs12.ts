import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { runInNewContext } from 'node:vm'
import type Forge from 'node-forge'
import { AzureCredentialError } from '../azure-credential-error.ts'

const MAX_OCTETS = 1_048_576
/** Milliseconds. A file says itself how often its password is hashed, up to years; forge takes 30 s for 600,000 times. */
const MAX_TIME_MS = 60_000

/**
 * Opens a PKCS #12 file (RFC 7292) in password integrity mode. By node-forge, as OpenSSL 3 has lost RC2 and 3DES of it; it takes
 * neither PBMAC1 (RFC 9579) nor, for PBES2, passwords that aren't ASCII. Nothing else runs meanwhile.
 *
 * @param maxTimeMs It gives up then.
 * @throws {AzureCredentialError} `ERR_AZURE_CREDENTIAL_FORMAT`, `ERR_AZURE_CREDENTIAL_PASSWORD`.
 */
export async function openPkcs12(
  pfx: Uint8Array,
  password: string,
  maxTimeMs: number = MAX_TIME_MS,
): Promise<{ privateKey: KeyObject; certificates: X509Certificate[] }> {
  if (pfx.length > MAX_OCTETS) throw malformed(`more than ${MAX_OCTETS} octets`)
  if (!/^[\x20-\x7e]*$/.test(password)) throw wrongPassword('must be ASCII')
  const { default: forge } = await import('node-forge')
  const bags = readBags(forge, pfx, password, maxTimeMs)
  const [key, second] = bags.filter(({ type }) => isKey(forge, type))
  if (key === undefined || second !== undefined) throw malformed('there must be one private key')
  try {
    return {
      privateKey: readKey(forge, key),
      certificates: bags.flatMap((bag) => (bag.type === forge.pki.oids.certBag ? [readCertificate(forge, bag)] : [])),
    }
  } catch {
    throw malformed('its key or a certificate can not be read')
  }
}

function readBags(forge: typeof Forge, pfx: Uint8Array, password: string, timeout: number): Forge.pkcs12.Bag[] {
  const octets = forge.util.createBuffer(Buffer.from(pfx).toString('binary'))
  const open = (): Forge.pkcs12.Bag[] =>
    forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(octets), password).safeContents.flatMap(({ safeBags }) => safeBags)
  try {
    return runInNewContext('open()', { open }, { timeout }) as Forge.pkcs12.Bag[] // no sandbox: a deadline for what does not await
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      throw malformed('it takes too long: make it with fewer iterations')
    }
    if (error instanceof Error && error.message.includes('Invalid password')) throw wrongPassword('is wrong')
    throw malformed('it is not one in password integrity mode with algorithms that are known here')
  }
}

const isKey = ({ pki: { oids } }: typeof Forge, type: string): boolean =>
  type === oids.keyBag || type === oids.pkcs8ShroudedKeyBag

/** forge reads RSA keys, and leaves the PrivateKeyInfo of others as it is. */
function readKey(forge: typeof Forge, { key, asn1 }: Forge.pkcs12.Bag): KeyObject {
  const info = key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1
  const der = Buffer.from(forge.asn1.toDer(info).getBytes(), 'binary')
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } finally {
    der.fill(0)
  }
}

/** forge reads certificates with RSA keys, and leaves others as they are. */
function readCertificate(forge: typeof Forge, { cert, asn1 }: Forge.pkcs12.Bag): X509Certificate {
  const der = forge.asn1.toDer(cert ? forge.pki.certificateToAsn1(cert) : asn1).getBytes()
  return new X509Certificate(Buffer.from(der, 'binary'))
}

const malformed = (why: string) => new AzureCredentialError('ERR_AZURE_CREDENTIAL_FORMAT', `the PKCS #12 file: ${why}`)
const wrongPassword = (why: string) =>
  new AzureCredentialError('ERR_AZURE_CREDENTIAL_PASSWORD', `the password of the PKCS #12 file ${why}`)
