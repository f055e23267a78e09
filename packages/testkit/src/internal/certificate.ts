import { type KeyObject, randomBytes, webcrypto } from 'node:crypto'
import * as x509 from './x509.ts'

/** A key pair of node:crypto. */
export interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** Somebody who signs certificates: a name, and the key pair behind it. */
export interface Signer {
  readonly subject: x509.JsonName
  readonly keys: KeyPair
}

/** What {@link makeCertificate} puts into a certificate. Key identifiers are added to `extensions`. */
export interface CertificateInit {
  readonly subject: x509.JsonName
  readonly publicKey: KeyObject
  readonly signer: Signer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly extensions: readonly x509.Extension[]
}

/** Signs an X.509 v3 certificate with SHA-256. */
export async function makeCertificate(init: CertificateInit): Promise<x509.X509Certificate> {
  const publicKey = await importPublic(init.publicKey)
  const signerKey = await importPublic(init.signer.keys.publicKey)
  return x509.X509CertificateGenerator.create({
    serialNumber: `10${randomBytes(15).toString('hex')}`,
    subject: init.subject,
    issuer: init.signer.subject,
    notBefore: init.notBefore,
    notAfter: init.notAfter,
    publicKey,
    signingKey: await importPrivate(init.signer.keys.privateKey),
    signingAlgorithm: algorithmOf(init.signer.keys.privateKey),
    extensions: [
      ...init.extensions,
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signerKey),
    ],
  })
}

/** The extensions of a certificate authority: RFC 5280 §4.2.1.9 and §4.2.1.3, both critical. */
export function authorityExtensions(): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ]
}

const importPrivate = (key: KeyObject) =>
  webcrypto.subtle.importKey('pkcs8', key.export({ format: 'der', type: 'pkcs8' }), algorithmOf(key), true, ['sign'])

const importPublic = (key: KeyObject) =>
  webcrypto.subtle.importKey('spki', key.export({ format: 'der', type: 'spki' }), algorithmOf(key), true, ['verify'])

const algorithmOf = (key: KeyObject) =>
  key.asymmetricKeyType === 'ec'
    ? { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
