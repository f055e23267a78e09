import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
let counter = 0

/** A folder with certificates, made by OpenSSL. */
export interface OpensslFolder {
  readonly path: string
  /** Makes a self-signed certificate and its key, as `<name>.pem` and `<name>.key`. */
  certificate(options?: OpensslCertificate): Promise<MadeCertificate>
  run(...args: string[]): Promise<string>
  remove(): Promise<void>
}

export interface OpensslCertificate {
  readonly name?: string
  /** Lines of a `distinguished_name` section; a leading `+` joins a line to the RDN before. */
  readonly subject?: readonly string[]
  /** Further lines of the `x509_extensions` section. */
  readonly extensions?: readonly string[]
  /** What `-newkey` takes. Default: a key on P-256. */
  readonly newkey?: readonly string[]
  /** `string_mask`, as `nombstr`. Default: `utf8only`. */
  readonly mask?: string
  readonly serial?: string
  readonly days?: number
  /** A key that is there already, instead of `newkey`. */
  readonly keyFile?: string
  /** Name of the certificate that signs this one. Default: itself. */
  readonly issuer?: string
}

export interface MadeCertificate {
  readonly name: string
  readonly certificateFile: string
  readonly keyFile: string
  readonly pem: string
  readonly der: Buffer
}

export async function opensslFolder(): Promise<OpensslFolder> {
  const path = await mkdtemp(join(tmpdir(), 'hardbound-ra-'))
  const openssl = async (...args: string[]): Promise<string> => (await run('openssl', args, { cwd: path })).stdout
  return {
    path,
    run: openssl,
    async certificate(options = {}) {
      const { subject = ['CN = client'], extensions = [], mask = 'utf8only', days = 30, serial, issuer } = options
      const { name = `c${counter++}`, newkey = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] } = options
      const config = join(path, `${name}.cnf`)
      const own = extensions.some((it) => it.startsWith('basicConstraints'))
        ? []
        : ['basicConstraints = critical, CA:FALSE']
      const lines = ['[req]', 'prompt = no', 'utf8 = yes', `string_mask = ${mask}`, 'distinguished_name = dn']
      lines.push(
        'x509_extensions = v3',
        '[dn]',
        ...(subject.length > 0 ? subject : ['CN = overridden']),
        '[v3]',
        'keyUsage = critical, digitalSignature',
        ...own,
      )
      await writeFile(config, [...lines, ...extensions, ''].join('\n'))
      const [certificateFile, keyFile] = [join(path, `${name}.pem`), options.keyFile ?? join(path, `${name}.key`)]
      const more = serial === undefined ? [] : ['-set_serial', serial]
      if (subject.length === 0) more.push('-subj', '/')
      if (issuer !== undefined) more.push('-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`)
      const key = options.keyFile === undefined ? ['-newkey', ...newkey, '-keyout', keyFile] : ['-key', keyFile]
      const out = ['-out', certificateFile, '-days', String(days), ...more]
      await openssl('req', '-x509', '-nodes', '-config', config, ...key, ...out)
      const pem = await readFile(certificateFile, 'utf8')
      return { name, certificateFile, keyFile, pem, der: derOf(pem) }
    },
    remove: () => rm(path, { recursive: true, force: true }),
  }
}

export const derOf = (pem: string): Buffer =>
  Buffer.from(/-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem)?.[1] ?? '', 'base64')

/**
 * Makes a certificate for an Ed25519 key pass for one for an ML-DSA key, which OpenSSL 3.0 can't make. Its OID is six octets longer, so
 * the key is six octets shorter, and all lengths around them stay.
 */
export function asMlDsa(der: Buffer, set: 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87'): Buffer {
  const spki = Buffer.from('302a300506032b6570032100', 'hex')
  const at = der.indexOf(spki)
  const last = { 'ML-DSA-44': '11', 'ML-DSA-65': '12', 'ML-DSA-87': '13' }[set]
  const mine = Buffer.from(`302a300b06096086480165030403${last}031b00`, 'hex')
  return Buffer.concat([der.subarray(0, at), mine, der.subarray(at + spki.length + 6)])
}
