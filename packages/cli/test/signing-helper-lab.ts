import { execFile, spawn } from 'node:child_process'
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { FLAGS, FLAGS_OF } from '../src/signing-helper/flags.ts'
import type { ReadCertificateDataFlags, SignerFlags, SignStringFlags } from '../src/signing-helper/types.ts'
import { makeFolder } from './helpers.ts'
import { HELPER } from './signing-helper.ts'

export const DIGESTS = ['SHA256', 'SHA384', 'SHA512'] as const
export type Digest = (typeof DIGESTS)[number]

export const vector = (name: string): string =>
  fileURLToPath(new URL(`./vectors/signing-helper/${name}`, import.meta.url))

/** What a command gets of flags that were typed: all others have their defaults. */
function flagsOf(command: keyof typeof FLAGS_OF, given: object): object {
  const defaults = Object.fromEntries(FLAGS_OF[command].map((name) => [name, FLAGS[name].default]))
  return { ...defaults, ...given, typed: new Set(Object.keys(given)) }
}
export const signStringFlags = (given: Partial<SignStringFlags>) => flagsOf('sign-string', given) as SignStringFlags
export const signerFlags = (given: Partial<SignerFlags>) =>
  flagsOf('sign-string', { intermediates: '', ...given }) as SignerFlags
export const readFlags = (given: Partial<ReadCertificateDataFlags>) =>
  flagsOf('read-certificate-data', given) as ReadCertificateDataFlags

export async function makeLab() {
  const folder = await makeFolder()
  const at = (name: string) => join(folder.path, name)
  const openssl = async (...args: string[]): Promise<Buffer> =>
    (await promisify(execFile)('openssl', args, { cwd: folder.path, encoding: 'buffer' })).stdout
  return {
    ...folder,
    at,
    openssl,
    /** Whether a signature is one of the test message by a key, as OpenSSL sees it. */
    async verifies(publicKeyPem: string, digest: Digest, signature: Uint8Array, suffix = true): Promise<boolean> {
      const message = messageOf(createPublicKey(publicKeyPem), suffix)
      const named = createHash('sha256').update(signature).digest('hex')
      await Promise.all([
        writeFile(at(`${named}.pem`), publicKeyPem),
        writeFile(at(`${named}.message`), message),
        writeFile(at(`${named}.signature`), signature),
      ])
      const key = ['-verify', `${named}.pem`, '-signature', `${named}.signature`]
      const args = ['dgst', `-${digest.toLowerCase()}`, ...key]
      return openssl(...args, `${named}.message`).then(
        () => true,
        () => false,
      )
    },
  }
}
export type Lab = Awaited<ReturnType<typeof makeLab>>

/** Written anew from the reference, so that it can disagree with the code. */
function messageOf(key: KeyObject, suffix: boolean): Buffer {
  const text = Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1')
  if (!suffix) return text
  const publicKey = key.asymmetricKeyType === 'rsa' ? key.export({ type: 'pkcs1', format: 'der' }) : pointOf(key)
  return Buffer.concat([text, createHash('sha256').update('IAM RA').update(publicKey).digest()])
}

function pointOf(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
}

export const sha256 = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex')

/** The code of what was thrown, and that its text has none of the secrets. */
export async function codeOf(work: Promise<unknown>, ...secrets: string[]): Promise<string> {
  const error: unknown = await work.then(
    () => new Error('nothing was thrown'),
    (it: unknown) => it,
  )
  const { message, code, name } = error as Error & { code?: string }
  for (const secret of secrets) if (message.includes(secret)) throw new Error('the message has a secret')
  return `${code ?? name}: ${message}`
}

/** Runs the command on a terminal of its own, made by script(1), and types there once there is a prompt. */
export async function onTerminal(
  args: readonly string[],
  keys: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; shown: string }> {
  const words = [process.execPath, HELPER, ...args].map((it) => `'${it}'`).join(' ')
  const child = spawn('script', ['-qec', `${words} < /dev/null`, '/dev/null'], {
    stdio: 'pipe',
    env: { PATH: process.env.PATH, ...env },
  })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const before = PROMPT.test(shown)
    shown += chunk.toString()
    if (!before && PROMPT.test(shown)) child.stdin.write(keys)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, shown }
}
const PROMPT = /^(?:Password|User PIN)[^\n]*: /m
