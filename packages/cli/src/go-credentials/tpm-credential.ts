import { statSync } from 'node:fs'
import { type OpenTpmHmacInit, openTpmHmac, parsePcrs } from '@hardbound/hmac-signer-tpm'
import { readKeyFile, writeKeyFile } from '@hardbound/tpm2/key-file'
import { CliError } from '../cli-error.ts'
import { backendOnUse } from '../internal/backend-on-use.ts'
import { fileOf, inWordsOfFlags } from '../internal/flags.ts'
import type { ProcessCredential } from '../internal/process-credential.ts'
import type { GoValues } from './go-flags.ts'
import { type GoHints, VERSION_FLAG } from './run-go-command.ts'
import { SESSION_FLAGS, stsSession } from './sts-session.ts'

/** Flags of `aws-tpm-process-credential`. */
export const TPM_FLAGS = {
  ...SESSION_FLAGS,
  ...VERSION_FLAG,
  'tpm-path': {
    type: 'string',
    usage: 'device, /path of the UNIX socket of a swtpm, or host:port of one on this machine',
    default: '/dev/tpmrm0',
  },
  persistentHandle: { type: 'int', usage: 'handle of the key, without -credential-file', default: 0x81008003 },
  'credential-file': { type: 'string', usage: 'PEM file (TSS2 PRIVATE KEY) of the key' },
  parentPass: {
    type: 'string',
    usage: 'password of the hierarchy that the parent of the key is in; better in the environment, as TPM_PARENT_AUTH',
  },
  keyPass: { type: 'string', usage: 'password of the key; better in the environment, as TPM_KEY_AUTH' },
  pcrs: { type: 'string', usage: 'PCRs (SHA-256) that the key is bound to, such as 0,7' },
  useEKParent: {
    type: 'bool',
    usage: 'the parent is the endorsement key (RSA 2048), not the H-2 primary of the owner',
  },
  'tpm-session-encrypt-with-name': {
    type: 'string',
    usage:
      'name of the RSA endorsement key, in hexadecimal: encrypts what goes to the TPM, if it is the one with that key',
  },
  timeout: { type: 'int', usage: 'seconds for everything; never less than 30', default: 2 },
} as const

/** Names of options of `openTpmHmac`, as flags. */
const FLAG_OF: Readonly<Record<string, string>> = {
  tpm: '-tpm-path',
  'key.handle': '-persistentHandle',
  handle: '-persistentHandle',
  keyAuth: '-keyPass',
  parentAuth: '-parentPass',
  pcrs: '-pcrs',
  sessionEncryption: '-tpm-session-encrypt-with-name',
}

/** A TPM may take that long to make the RSA endorsement key. The original says 2 s, and keeps to nothing. */
const LEAST_SECONDS = 30
const MOST_SECONDS = 600

/** A session of an IAM user whose secret is in a TPM. */
export async function tpmCredential(
  values: GoValues<typeof TPM_FLAGS>,
  { given, warn }: GoHints,
): Promise<ProcessCredential> {
  const timeoutMs = Math.min(Math.max(values.timeout, LEAST_SECONDS), MOST_SECONDS) * 1000
  const init = openInitOf(values, timeoutMs, warn)
  const backend = backendOnUse('tpm', async () => {
    const keyAuth = passwordOf('keyPass', values.keyPass, 'TPM_KEY_AUTH', warn)
    const parentAuth = passwordOf('parentPass', values.parentPass, 'TPM_PARENT_AUTH', warn)
    try {
      return await openTpmHmac({ ...init, keyAuth, parentAuth })
    } catch (cause) {
      return inWordsOfFlags(cause, FLAG_OF)
    } finally {
      keyAuth.fill(0)
      parentAuth.fill(0)
    }
  })
  const provide = stsSession(values, given, backend, timeoutMs)
  try {
    return await provide()
  } finally {
    backend.close().catch(() => {}) // a TPM that hangs is not waited for with what there is to say
  }
}

function openInitOf(values: GoValues<typeof TPM_FLAGS>, timeoutMs: number, warn: GoHints['warn']): OpenTpmHmacInit {
  const { persistentHandle: handle, pcrs, useEKParent, 'tpm-session-encrypt-with-name': name } = values
  const pem = fileOf('-credential-file', values['credential-file'] || undefined)?.toString('utf8')
  if (pem === undefined && handle === 0) throw new CliError('either -credential-file or -persistentHandle is required')
  try {
    return {
      ...addressOf(values['tpm-path'], warn),
      key: pem === undefined ? { handle } : { pem: underOwner(pem) },
      useEkParent: useEKParent,
      timeoutMs,
      ...(pcrs !== '' && { pcrs: parsePcrs(pcrs) }),
      ...(name !== '' && { sessionEncryption: { name } }),
    }
  } catch (cause) {
    return inWordsOfFlags(cause, FLAG_OF)
  }
}

/**
 * As the original, does not look at which parent the file names: `tpm2_encodeobject` writes there the handle that a primary key happened
 * to have.
 */
function underOwner(pem: string): string {
  try {
    const { rsaParent: _, ...file } = readKeyFile(pem)
    return writeKeyFile({ ...file, parent: 0x40000001 }) // TPM_RH_OWNER
  } catch (cause) {
    throw new CliError('-credential-file is not a TSS2 PRIVATE KEY', { cause })
  }
}

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d{1,5}$/i

/** What the original takes, in the words of the library. It dials whatever is not a device. */
function addressOf(path: string, warn: GoHints['warn']): Pick<OpenTpmHmacInit, 'tpm' | 'dangerouslyAllowTcp'> {
  if (path.startsWith('/')) return { tpm: isSocket(path) ? `unix:${path}` : path }
  if (path.startsWith('unix:/')) return { tpm: path }
  if (path === 'simulator') throw new CliError('-tpm-path: there is no simulator in here; start a swtpm')
  if (!LOOPBACK.test(path)) {
    throw new CliError(
      '-tpm-path: a TPM is at /dev/…, at the /path of a UNIX socket, or on this machine at 127.0.0.1:port; over a network anybody on the way could use it',
    )
  }
  warn('-tpm-path: TCP is for tests: every user of this machine can use that TPM, and show another one')
  return { tpm: `swtpm:${path}`, dangerouslyAllowTcp: true }
}

function isSocket(path: string): boolean {
  try {
    return statSync(path).isSocket()
  } catch {
    return false // opening it will say why
  }
}

/** The flag, or the variable. */
function passwordOf(flag: string, value: string, variable: string, warn: GoHints['warn']): Buffer {
  if (value !== '') {
    warn(
      `-${flag}: every process of this machine can read arguments; put the password into the environment, as ${variable}`,
    )
  }
  const password = Buffer.from(value || process.env[variable] || '')
  delete process.env[variable]
  return password
}
