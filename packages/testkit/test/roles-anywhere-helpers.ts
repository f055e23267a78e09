import { execFileSync } from 'node:child_process'
import { createHash, sign, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestRolesAnywhere } from '../src/roles-anywhere.ts'
import { type Answer, askUrl } from './helpers.ts'

export const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
export const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
export const ROLE = 'arn:aws:iam::111122223333:role/path/Reader'

/** A key and its certificate, made by openssl. */
export interface Made {
  readonly certPem: string
  readonly keyPem: string
  readonly der: Buffer
}

const KEYS = {
  rsa: ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  ec: ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  secp256k1: ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
  ed25519: ['genpkey', '-algorithm', 'ED25519'],
}
export const LEAF = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature']
export const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']

/** A folder in which openssl makes certificates and signatures. */
export function createWorkshop() {
  const folder = mkdtempSync(join(tmpdir(), 'hardbound-ra-'))
  let count = 0
  const write = (content: string | Buffer): string => {
    const path = join(folder, `${count++}`)
    writeFileSync(path, content)
    return path
  }
  const openssl = (args: string[], input?: string | Buffer): Buffer =>
    execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'pipe'], cwd: folder })
  return {
    folder,
    openssl,
    write,
    /** Without an issuer it signs itself. No extensions: X.509 v1. */
    certify(o: {
      subject: string
      key?: keyof typeof KEYS
      issuer?: Made
      extensions?: string[]
      hash?: string
      serial?: string
      days?: number
    }): Made {
      const keyPem = openssl(KEYS[o.key ?? 'ec']).toString()
      const request = write(openssl(['req', '-new', '-key', write(keyPem), '-subj', o.subject, '-utf8']))
      const signer =
        o.issuer === undefined
          ? ['-signkey', write(keyPem)]
          : ['-CA', write(o.issuer.certPem), '-CAkey', write(o.issuer.keyPem)]
      const extensions = o.extensions ?? LEAF
      const file = extensions.length > 0 ? ['-extfile', write(extensions.join('\n'))] : []
      const serial = ['-set_serial', o.serial ?? `0x1${String(count).padStart(9, '0')}`]
      const hash = o.key === 'ed25519' && o.issuer === undefined ? [] : [`-${o.hash ?? 'sha256'}`]
      const days = ['-days', String(o.days ?? 30)]
      const certPem = openssl([
        'x509',
        '-req',
        '-in',
        request,
        ...signer,
        ...file,
        ...serial,
        ...hash,
        ...days,
      ]).toString()
      return { certPem, keyPem, der: new X509Certificate(certPem).raw }
    },
    remove: () => rmSync(folder, { recursive: true }),
    read: (path: string) => readFileSync(join(folder, path)),
  }
}

type Signer = (message: Buffer, keyPem: string) => Buffer

/** A request as {@link post} makes it; what is given here is instead of that. */
export interface Change {
  identity: Made
  chain?: readonly Buffer[]
  algorithm?: string
  serial?: string
  scope?: string
  date?: string
  /** What goes out; the signature is over these too. `undefined` leaves one out. */
  headers?: Record<string, string | undefined>
  signedHeaders?: string[]
  query?: Record<string, string> | string
  body?: object | string
  /** After the signature was made. */
  late?: { headers?: Record<string, string | undefined>; query?: string; body?: string; path?: string; method?: string }
  signer?: Signer
  nowMs?: number
}

/** Signs as the specification has it, with code of its own, and sends. */
export async function post(to: TestRolesAnywhere, o: Change): Promise<Answer & { json: Record<string, unknown> }> {
  const date = o.date ?? `${new Date(o.nowMs ?? Date.now()).toISOString().replace(/[-:]|\.\d+/g, '')}`
  const body = typeof o.body === 'string' ? o.body : JSON.stringify(o.body ?? { durationSeconds: 900 })
  const arns = { profileArn: PROFILE, roleArn: ROLE, trustAnchorArn: ANCHOR }
  const query = typeof o.query === 'string' ? o.query : encodeQuery(o.query ?? arns)
  const headers = defined({
    'content-type': 'application/json',
    host: new URL(to.endpoint).host,
    'x-amz-date': date,
    'x-amz-x509': o.identity.der.toString('base64'),
    'x-amz-x509-chain': o.chain?.map((der) => der.toString('base64')).join(','),
    ...o.headers,
  })
  const signedHeaders = o.signedHeaders ?? Object.keys(headers).sort()
  const canonical = [
    'POST',
    '/sessions',
    query,
    ...signedHeaders.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    sha256(body),
  ].join('\n')
  const scope = o.scope ?? `${date.slice(0, 8)}/us-east-1/rolesanywhere/aws4_request`
  const isRsa = o.identity.keyPem.length > 1000
  const algorithm = o.algorithm ?? (isRsa ? 'AWS4-X509-RSA-SHA256' : 'AWS4-X509-ECDSA-SHA256')
  const message = Buffer.from([algorithm, date, scope, sha256(canonical)].join('\n'))
  const signature = (o.signer ?? ((data, key) => sign('sha256', data, key)))(message, o.identity.keyPem)
  const serial = o.serial ?? BigInt(`0x${new X509Certificate(o.identity.der).serialNumber}`).toString()
  const fields = [`Credential=${serial}/${scope}`, `SignedHeaders=${signedHeaders.join(';')}`]
  const authorization = `${algorithm} ${fields.join(', ')}, Signature=${signature.toString('hex')}`
  const target = `${o.late?.path ?? '/sessions'}?${o.late?.query ?? query}`.replace(/\?$/, '')
  const answer = await askUrl(
    `${to.endpoint}${target}`,
    {
      method: o.late?.method ?? 'POST',
      headers: defined({ ...headers, authorization, ...o.late?.headers }),
      ...(to.caPem !== undefined && { ca: to.caPem }),
    },
    o.late?.body ?? body,
  )
  const isJson = answer.headers['content-type'] === 'application/json'
  return { ...answer, json: isJson ? (JSON.parse(answer.text) as Record<string, unknown>) : {} }
}

export const encodeQuery = (pairs: Record<string, string>): string =>
  Object.entries(pairs)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')

const sha256 = (data: string): string => createHash('sha256').update(data).digest('hex')

const defined = (headers: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined))
