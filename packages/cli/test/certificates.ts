import { execFile } from 'node:child_process'
import { createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeFolder } from './helpers.ts'

const run = promisify(execFile)
export const RSA = ['-newkey', 'rsa:2048']
export const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const CA = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']
const LEAF = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=critical,digitalSignature']

/** A folder in which OpenSSL makes certificates: a root, an intermediate, and leaves of that. */
export async function makeCertificates() {
  const folder = await makeFolder()
  const path = (name: string) => join(folder.path, name)
  const openssl = async (...args: string[]) => (await run('openssl', args, { cwd: folder.path })).stdout
  const issue = (name: string, issuer: string, newkey: readonly string[], extensions: readonly string[]) =>
    openssl(
      ...['req', '-x509', '-subj', `/CN=${name}.example.com`, '-days', '30', '-nodes', ...newkey, ...extensions],
      ...['-keyout', `${name}.key`, '-out', `${name}.crt`],
      ...(issuer === '' ? [] : ['-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`]),
    )
  await issue('root', '', EC, CA)
  await issue('intermediate', 'root', EC, CA)
  const read = async (name: string) => (await openssl('x509', '-in', name)).toString()
  return {
    ...folder,
    at: path,
    openssl,
    rootPem: await read('root.crt'),
    /** `<name>.crt`, and `<name>.key` in PKCS #8. */
    leaf: (name: string, newkey: readonly string[] = EC) => issue(name, 'intermediate', newkey, LEAF),
    /** `<name>.crt` for a public key whose private one is elsewhere. */
    async certify(name: string, publicKeyFile: string) {
      await folder.write('leaf.cnf', 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n')
      await openssl('req', '-new', '-subj', `/CN=${name}.example.com`, '-key', 'root.key', '-out', `${name}.csr`)
      const issuer = ['-CA', 'intermediate.crt', '-CAkey', 'intermediate.key', '-CAcreateserial', '-days', '30']
      const leaf = ['-force_pubkey', publicKeyFile, '-extfile', 'leaf.cnf', '-out', `${name}.crt`]
      await openssl('x509', '-req', '-in', `${name}.csr`, ...issuer, ...leaf)
    },
    /** The same for an ML-DSA-65 key, which OpenSSL 3.0 does not know: a leaf with another key, signed anew. */
    async mlDsaLeaf(name: string) {
      const mlDsa = createRequire(import.meta.url)('../dist/library-ml-dsa.cjs') as {
        ml_dsa65: { keygen(seed: Uint8Array): { publicKey: Uint8Array } }
      }
      const seed = Buffer.alloc(32, 7)
      const algorithm = der(0x30, der(0x06, Buffer.from('608648016503040312', 'hex')))
      const info = der(0x30, algorithm, der(0x03, Buffer.of(0), mlDsa.ml_dsa65.keygen(seed).publicKey))
      await issue(name, 'intermediate', EC, LEAF)
      const [tbs, signatureAlgorithm] = elements(new X509Certificate(await read(`${name}.crt`)).raw)
      const fields = elements(tbs!)
      fields[6] = info
      const changed = der(0x30, ...fields)
      const issuerKey = createPrivateKey(await openssl('pkey', '-in', 'intermediate.key'))
      const signature = der(0x03, Buffer.of(0), sign('sha256', changed, issuerKey))
      await folder.write(`${name}.crt`, pem('CERTIFICATE', der(0x30, changed, signatureAlgorithm!, signature)))
      const key = der(0x30, der(0x02, Buffer.of(0)), algorithm, der(0x04, der(0x80, seed)))
      await folder.write(`${name}.key`, pem('PRIVATE KEY', key))
    },
  }
}
export type Certificates = Awaited<ReturnType<typeof makeCertificates>>

/** One element of DER. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

/** Octets of the elements in a SEQUENCE. */
function elements(sequence: Buffer): Buffer[] {
  const found: Buffer[] = []
  const { start, end } = measure(sequence, 0)
  for (let at = start; at < end; at = measure(sequence, at).end)
    found.push(sequence.subarray(at, measure(sequence, at).end))
  return found
}

function measure(octets: Buffer, at: number): { start: number; end: number } {
  const first = octets[at + 1] ?? 0
  const digits = first < 0x80 ? 0 : first & 0x7f
  const length = digits === 0 ? first : octets.readUIntBE(at + 2, digits)
  return { start: at + 2 + digits, end: at + 2 + digits + length }
}

function pem(label: string, octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
