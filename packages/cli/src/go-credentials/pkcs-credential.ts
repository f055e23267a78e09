import { readdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openPkcs11Hmac } from '@hardbound/hmac-signer-pkcs11'
import { listTokens, loadModule, type Pkcs11Module, type TokenInfo } from '@hardbound/pkcs11'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { CliError } from '../cli-error.ts'
import { backendOnUse } from '../internal/backend-on-use.ts'
import type { ProcessCredential } from '../internal/process-credential.ts'
import type { GoValues } from './go-flags.ts'
import { type PkcsUri, parsePkcsUri } from './pkcs-uri.ts'
import { readPin } from './read-pin.ts'
import { type GoHints, VERSION_FLAG } from './run-go-command.ts'
import { SESSION_FLAGS, stsSession } from './sts-session.ts'

/** Flags of `aws-pkcs-process-credential`. */
export const PKCS_FLAGS = {
  ...SESSION_FLAGS,
  ...VERSION_FLAG,
  'pkcs-uri': {
    type: 'string',
    usage:
      'pkcs11:slot=<index>;object=<label>;id=<hexadecimal>?module-path=/path&pin-source=file:/path; or pin-value=, which others can read (required)',
  },
} as const

const TIMEOUT_MS = 30_000

/** A session of an IAM user whose secret is in a PKCS #11 token. */
export async function pkcsCredential(
  values: GoValues<typeof PKCS_FLAGS>,
  { given, warn }: GoHints,
): Promise<ProcessCredential> {
  if (values['pkcs-uri'] === '') throw new CliError('-pkcs-uri is required')
  const uri = parsePkcsUri(values['pkcs-uri'])
  const backend = backendOnUse('pkcs11', () => openKey(uri, warn).catch(moduleFailure))
  const provide = stsSession(values, given, backend, TIMEOUT_MS)
  try {
    return await provide()
  } finally {
    backend.close().catch(() => {}) // a token that hangs is not waited for with what there is to say
  }
}

async function openKey(uri: PkcsUri, warn: GoHints['warn']): Promise<HmacBackend> {
  const modulePath = moduleOf(uri)
  const allowedModules = [modulePath] // the original loads any; that nobody else may write it is still checked
  const module = loadModule({ modulePath, allowedModules })
  try {
    const { slotId, serial } = tokenAt(module, uri, warn)
    const { id, object } = uri
    const init = {
      uri: { slotId, serial, id, object, modulePath },
      pin: readPin(uri, warn),
      allowedModules,
      timeoutMs: TIMEOUT_MS,
    }
    return await openPkcs11Hmac(init).catch(async (why: unknown) => {
      if (!isAboutTheKey(why)) throw why
      const backend = await openPkcs11Hmac({ ...init, dangerouslyAllowExtractable: true })
      warn(`${why.message}; make one that is sensitive, private, and can't be taken out: hardbound pkcs11 import`)
      return backend
    })
  } finally {
    module.close() // the backend has it open too
  }
}

/** What is thrown before there is a backend that says it in its own words; the message holds no secret. */
function moduleFailure(cause: unknown): never {
  if (!(cause instanceof Error && 'code' in cause && /^ERR_PKCS11_/.test(String(cause.code)))) throw cause
  throw new CliError(`${cause.message} [${String(cause.code)}]`, { cause })
}

const isAboutTheKey = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && error.code === 'ERR_HMAC_KEY'

/** The original goes by the index alone, whatever else the URI says. */
function tokenAt(module: Pkcs11Module, { slot: index, token: named }: PkcsUri, warn: GoHints['warn']): TokenInfo {
  const tokens = listTokens(module) // leaves out empty ones, which have an index too
  const slots = module.cryptoki.C_GetSlotList(true)
  const slot = slots[index]
  const token = slot && tokens.find((it) => Buffer.from(it.slot).equals(slot))
  if (token === undefined) {
    throw new CliError(
      `-pkcs-uri: slot ${index} has no token: of ${slots.length}, the first is 0, and some may be empty`,
    )
  }
  const other = (['token', 'serial', 'manufacturer', 'model'] as const).find(
    (name) => named[name] !== undefined && named[name] !== token[name],
  )
  if (other !== undefined)
    warn(
      `-pkcs-uri: the token in slot ${index} has another ${other === 'token' ? 'label' : other}, but the slot decides`,
    )
  return token
}

/** The file itself, with links followed; or the one of that name in the folder. */
function moduleOf({ modulePath, moduleName }: PkcsUri): string {
  try {
    const real = realpathSync(modulePath)
    if (!statSync(real).isDirectory()) return real
    const wanted = moduleName?.toLowerCase()
    const found = readdirSync(real).find((file) => {
      const [before, after] = wanted ? file.toLowerCase().split(wanted) : []
      return before !== undefined && (after === '' || after?.startsWith('.') === true)
    })
    if (found !== undefined) return realpathSync(join(real, found))
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new CliError(`-pkcs-uri: module-path can't be read (${code})`, { cause })
  }
  throw new CliError('-pkcs-uri: module-path is a folder, and no file in it is called like module-name')
}
