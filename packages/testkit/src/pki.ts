import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { authorityExtensions, type KeyPair, makeCertificate } from './internal/certificate.ts'
import * as x509 from './internal/x509.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** A certificate authority for one test run. */
export interface TestPki {
  /** The root certificate, PEM. */
  readonly caPem: string
  /** Makes a key and has the root certify it. */
  issue(o: IssueOptions): Promise<IssuedCertificate>
}

/** What a certificate is to say. Without `dns`, `ip` and `uri` it has no subjectAltName at all. */
export interface IssueOptions {
  readonly commonName: string
  readonly dns?: readonly string[]
  readonly ip?: readonly string[]
  readonly uri?: readonly string[]
  /** Extended key usage; `none` leaves out both keyUsage and extKeyUsage. Default: `server`. */
  readonly usage?: 'server' | 'client' | 'both' | 'none'
  /** Default: an hour ago. */
  readonly notBefore?: Date
  /** Default: in 30 days. */
  readonly notAfter?: Date
  /** Makes it a certificate authority (basicConstraints, keyCertSign) on top of `usage`. Default: false. */
  readonly ca?: boolean
  /** Default: `P-256`. */
  readonly keyType?: 'P-256' | 'RSA-2048' | 'RSA-1024'
}

/** A certificate with its private key. */
export interface IssuedCertificate {
  readonly certPem: string
  /** PKCS#8 PEM, not encrypted. */
  readonly keyPem: string
  /** SHA-256 of the SubjectPublicKeyInfo DER, lowercase hex. */
  readonly spkiSha256: string
}

/** Makes a fresh root with a P-256 key. Two calls give two authorities that do not trust each other. */
export async function createTestPki(): Promise<TestPki> {
  const root = { subject: [{ CN: ['Test Root CA'] }], keys: await newKey('P-256') }
  const certificate = await makeCertificate({
    subject: root.subject,
    publicKey: root.keys.publicKey,
    signer: root,
    notBefore: new Date(Date.now() - 365 * DAY_MS),
    notAfter: new Date(Date.now() + 365 * DAY_MS),
    extensions: authorityExtensions(),
  })
  return {
    caPem: `${certificate.toString('pem')}\n`,
    async issue(o) {
      const keys = await newKey(o.keyType ?? 'P-256')
      const issued = await makeCertificate({
        subject: [{ CN: [o.commonName] }],
        publicKey: keys.publicKey,
        signer: root,
        notBefore: o.notBefore ?? new Date(Date.now() - HOUR_MS),
        notAfter: o.notAfter ?? new Date(Date.now() + 30 * DAY_MS),
        extensions: extensionsOf(o),
      })
      return {
        certPem: `${issued.toString('pem')}\n`,
        keyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
        spkiSha256: spkiSha256(keys.publicKey),
      }
    },
  }
}

function extensionsOf({ dns = [], ip = [], uri = [], usage = 'server', ca = false }: IssueOptions): x509.Extension[] {
  const names: x509.JsonGeneralNames = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ip.map((value) => ({ type: 'ip' as const, value })),
    ...uri.map((value) => ({ type: 'url' as const, value })),
  ]
  const flags = x509.KeyUsageFlags.digitalSignature
  const extensions = ca ? authorityExtensions() : [new x509.BasicConstraintsExtension(false, undefined, true)]
  if (usage !== 'none') {
    if (!ca) extensions.push(new x509.KeyUsagesExtension(flags, true))
    extensions.push(new x509.ExtendedKeyUsageExtension(EXTENDED_KEY_USAGES[usage]))
  }
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names))
  return extensions
}

const SERVER = x509.ExtendedKeyUsage.serverAuth
const CLIENT = x509.ExtendedKeyUsage.clientAuth
const EXTENDED_KEY_USAGES = { server: [SERVER], client: [CLIENT], both: [SERVER, CLIENT] }

const generate = promisify(generateKeyPair)

function newKey(type: NonNullable<IssueOptions['keyType']>): Promise<KeyPair> {
  if (type === 'P-256') return generate('ec', { namedCurve: 'P-256' })
  return generate('rsa', { modulusLength: type === 'RSA-2048' ? 2048 : 1024 })
}

const spkiSha256 = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
