import { execFile } from 'node:child_process'
import { sign, verify, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { RolesAnywhereError, SignatureHash, X509Identity, X509IdentitySource } from '../../src/index.ts'
import type { RolesAnywhereWarning } from '../../src/warning.ts'

const run = promisify(execFile)
export const MESSAGE = Buffer.from('of example.com')
export const PASSWORD = 'correct horse'

/** A folder, and OpenSSL in it: a root, an intermediate, and leaves of that. */
export interface Lab {
  readonly folder: string
  path(name: string): string
  text(name: string): Promise<string>
  write(name: string, content: string | Uint8Array, mode?: number): Promise<string>
  openssl(...args: string[]): Promise<string>
  /** `<name>.key` (PKCS #8) and `<name>.crt`, issued by the intermediate. */
  leaf(name: string, newkey?: readonly string[], ...more: string[]): Promise<void>
  /** `<name>.crt` for a key that is there. */
  certify(name: string, key: string, ...more: string[]): Promise<void>
  remove(): Promise<void>
}

export const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
export const ec = (curve: string) => ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`]
export const RSA = ['-newkey', 'rsa:2048']
const CA = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']
const END = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=critical,digitalSignature']

export async function createLab(): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-identity-'))
  const path = (name: string) => join(folder, name)
  const openssl = async (...args: string[]) => (await run('openssl', args, { cwd: folder })).stdout
  const issued = (name: string, issuer: string, ...more: string[]) =>
    openssl(
      'req',
      '-x509',
      '-subj',
      `/CN=${name}.example.com`,
      '-days',
      '30',
      '-CA',
      `${issuer}.crt`,
      '-CAkey',
      `${issuer}.key`,
      '-out',
      `${name}.crt`,
      ...more,
    )
  const lab: Lab = {
    folder,
    path,
    text: (name) => readFile(path(name), 'utf8'),
    async write(name, content, mode = 0o600) {
      await writeFile(path(name), content, { mode })
      return path(name)
    },
    openssl,
    async leaf(name, newkey = EC, ...more) {
      await issued(name, 'intermediate', '-nodes', '-keyout', `${name}.key`, ...newkey, ...END, ...more)
    },
    async certify(name, key, ...more) {
      await issued(name, 'intermediate', '-key', key, ...END, ...more)
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
  await openssl(
    'req',
    '-x509',
    '-nodes',
    ...EC,
    '-subj',
    '/CN=Root',
    '-days',
    '30',
    '-keyout',
    'root.key',
    '-out',
    'root.crt',
    ...CA,
  )
  await issued('intermediate', 'root', '-nodes', '-keyout', 'intermediate.key', ...EC, ...CA)
  return lab
}

/** Whether Node verifies a signature of the identity with its certificate. */
export async function signs(identity: X509Identity, hash: SignatureHash = 'sha256'): Promise<boolean> {
  const signature = await identity.sign(MESSAGE, hash)
  return verify(hash, MESSAGE, new X509Certificate(identity.certificate).publicKey, signature)
}

export const rejection = (it: X509IdentitySource | Promise<unknown>): Promise<RolesAnywhereError> =>
  ('current' in it ? it.current() : it).then(
    () => Promise.reject(new Error('it was taken')),
    (error: RolesAnywhereError) => error,
  )

export const subjects = (chain: readonly Uint8Array[]): string[] => chain.map((it) => new X509Certificate(it).subject)

export function warnings(): { readonly seen: RolesAnywhereWarning[]; onWarning(it: RolesAnywhereWarning): void } {
  const seen: RolesAnywhereWarning[] = []
  return { seen, onWarning: (it) => void seen.push(it) }
}

/** One element of DER. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

export function pem(label: string, octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** Octets of the elements in a SEQUENCE. */
export function elements(octets: Uint8Array): Buffer[] {
  const found: Buffer[] = []
  const all = Buffer.from(octets)
  const end = measure(all, 0)
  for (let at = end.start; at < end.end; at = measure(all, at).end) found.push(all.subarray(at, measure(all, at).end))
  return found
}

function measure(octets: Buffer, at: number): { start: number; end: number } {
  const first = octets[at + 1] as number
  const digits = first < 0x80 ? 0 : first & 0x7f
  const length = digits === 0 ? first : octets.readUIntBE(at + 2, digits)
  return { start: at + 2 + digits, end: at + 2 + digits + length }
}

/** A certificate like another one, for another key, signed by the same issuer's EC key: OpenSSL 3.0 makes none for ML-DSA. */
export function withKey(certificate: Uint8Array, spki: Uint8Array, issuerKey: string): Buffer {
  const [tbs, algorithm] = elements(certificate) as [Buffer, Buffer]
  const fields = elements(tbs)
  fields[6] = Buffer.from(spki)
  const changed = der(0x30, ...fields)
  return der(0x30, changed, algorithm, der(0x03, Buffer.of(0), sign('sha256', changed, issuerKey)))
}
