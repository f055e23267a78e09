import { createHash } from 'node:crypto'
import { authorityExtensions, type KeyPair, makeCertificate } from './certificate.ts'
import { rsaThumbprint } from './rsa-keys.ts'
import * as x509 from './x509.ts'

const DAY_MS = 86_400_000
/** The one extended key usage of Google's intermediate: TCG attestation identity. */
const INTERMEDIATE_USAGE = '2.23.133.8.1'

/** What signs PKI tokens: a leaf key, and three certificates shaped like those of real tokens. */
export interface AttestationChain {
  readonly leaf: KeyPair
  /** RFC 7638 thumbprint of the leaf key. */
  readonly kid: string
  /** Leaf, intermediate, root: DER in standard base64 (RFC 7515 §4.1.6). */
  readonly x5c: readonly string[]
  readonly rootPem: string
  /** SHA-256 of the root's DER, lowercase hex. */
  readonly rootSha256: string
}

/** Certifies a chain that is valid at `nowMs`. Real authorities have RSA-4096 keys; 2048 here, for speed. */
export async function makeAttestationChain(
  [root, intermediate, leaf]: readonly [KeyPair, KeyPair, KeyPair],
  nowMs: number,
): Promise<AttestationChain> {
  const rootSigner = { subject: nameOf('Confidential Space Root CA'), keys: root }
  const intermediateSigner = { subject: nameOf('Confidential Space Intermediate CA'), keys: intermediate }
  const days = (from: number, to: number) => ({
    notBefore: new Date(nowMs + from * DAY_MS),
    notAfter: new Date(nowMs + to * DAY_MS),
  })
  const chain = [
    await makeCertificate({
      subject: nameOf('Confidential Space Leaf Certificate'),
      publicKey: leaf.publicKey,
      signer: intermediateSigner,
      ...days(-10, 50),
      extensions: [new x509.BasicConstraintsExtension(false, undefined, true)],
    }),
    await makeCertificate({
      ...intermediateSigner,
      publicKey: intermediate.publicKey,
      signer: rootSigner,
      ...days(-700, 396),
      extensions: [...authorityExtensions(), new x509.ExtendedKeyUsageExtension([INTERMEDIATE_USAGE])],
    }),
    await makeCertificate({
      ...rootSigner,
      publicKey: root.publicKey,
      signer: rootSigner,
      ...days(-700, 2950),
      extensions: authorityExtensions(),
    }),
  ] as const
  return {
    leaf,
    kid: rsaThumbprint(leaf.publicKey),
    x5c: chain.map((certificate) => Buffer.from(certificate.rawData).toString('base64')),
    rootPem: `${chain[2].toString('pem')}\n`,
    rootSha256: createHash('sha256').update(Buffer.from(chain[2].rawData)).digest('hex'),
  }
}

const nameOf = (commonName: string): x509.JsonName => [
  { C: ['US'] },
  { O: ['Google LLC'] },
  { OU: ['Google Cloud'] },
  { CN: [commonName] },
]
