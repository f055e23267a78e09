import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { expect } from '@jest/globals'
import { Pkcs12Error, type Pkcs12ErrorCode } from '../src/index.ts'

const run = promisify(execFile)
export const PASSWORD = 'CANARY pass-word'
export const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
export const RSA = ['-newkey', 'rsa:2048']

/** A folder, and OpenSSL in it. */
export interface Lab {
  openssl(...args: readonly string[]): Promise<Buffer>
  write(name: string, content: Uint8Array): Promise<void>
  /** Makes `<name>.key` and `<name>.crt`. */
  pair(name: string, newkey: readonly string[], ...more: readonly string[]): Promise<void>
  /** A PKCS #12 file with them. */
  export(name: string, password: string, ...more: readonly string[]): Promise<Buffer>
  /** DER */
  certificate(name: string): Promise<Buffer>
  /** DER of the PrivateKeyInfo */
  key(name: string): Promise<Buffer>
  remove(): Promise<void>
}

export async function createLab(): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-pkcs12-'))
  const openssl = async (...args: readonly string[]) =>
    (await run('openssl', args, { cwd: folder, encoding: 'buffer' })).stdout
  return {
    openssl,
    write: (name, content) => writeFile(join(folder, name), content),
    async pair(name, newkey, ...more) {
      const subject = ['-subj', `/CN=${name}.example.com`, '-days', '30']
      const made = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
      await openssl('req', '-x509', '-nodes', ...newkey, ...subject, ...made, ...more)
    },
    export(name, password, ...more) {
      const files = ['-in', `${name}.crt`, '-inkey', `${name}.key`]
      return openssl('pkcs12', '-export', ...files, '-passout', `pass:${password}`, ...more)
    },
    certificate: async (name) => new X509Certificate(await readFile(join(folder, `${name}.crt`))).raw,
    key: (name) => openssl('pkcs8', '-topk8', '-nocrypt', '-in', `${name}.key`, '-outform', 'DER'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** That it is our error, with this code, and that nothing of the file or of the password is in it. */
export async function fails(work: Promise<unknown>, code: Pkcs12ErrorCode): Promise<Pkcs12Error> {
  const error = await work.then(
    () => undefined,
    (it: unknown) => it,
  )
  expect(error).toBeInstanceOf(Pkcs12Error)
  expect(error).toMatchObject({ name: 'Pkcs12Error', code })
  expect(Object.keys(error as object).sort()).toEqual(['code', 'name'])
  expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/CANARY|cause/)
  return error as Pkcs12Error
}

/** One element of DER. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
export const octetString = (octets: Uint8Array): Buffer => der(0x04, octets)
export const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
export const int = (hex: string): Buffer => der(0x02, Buffer.from(hex, 'hex'))

/** What is in an element of DER. */
export function contentOf(octets: Buffer): Buffer {
  const first = octets[1] as number
  return octets.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f))
}

/** The elements in an element of DER. */
export function elements(octets: Buffer): Buffer[] {
  const found: Buffer[] = []
  for (let rest = contentOf(octets); rest.length > 0; ) {
    const first = rest[1] as number
    const digits = first < 0x80 ? 0 : first & 0x7f
    const end = 2 + digits + (digits === 0 ? first : rest.readUIntBE(2, digits))
    found.push(rest.subarray(0, end))
    rest = rest.subarray(end)
  }
  return found
}

export const DATA = '2a864886f70d010701'

/** The AuthenticatedSafe of a file: what its MAC is over. */
export function authenticatedSafe(pfx: Buffer): Buffer {
  const [, info] = elements(pfx) as [Buffer, Buffer]
  const [, wrapped] = elements(info) as [Buffer, Buffer]
  return contentOf(contentOf(wrapped))
}

/** A file of an AuthenticatedSafe (RFC 7292, section 4). */
export const pfxOf = (safe: Buffer, macData?: Buffer, contentType = DATA): Buffer =>
  sequence(int('03'), sequence(oid(contentType), der(0xa0, octetString(safe))), macData ?? Buffer.alloc(0))
