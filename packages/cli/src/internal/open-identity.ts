import {
  bufferIdentity,
  type OnRolesAnywhereWarning,
  parseTpmHandle,
  pemIdentity,
  pkcs11Identity,
  pkcs12Identity,
  spiffeIdentity,
  tpmIdentity,
  type X509IdentitySource,
} from '@hardbound/roles-anywhere'
import { usageError } from '../cli-error.ts'
import { fileOf, given, required } from './flags.ts'
import type { IdentityFlags, IdentityKind } from './identity-flags.ts'
import { pemLabelsIn } from './pem-labels.ts'
import { readSecret } from './secret-source.ts'

/** Makes an identity. Called once all flags are known to be right. */
type Opener = () => Promise<X509IdentitySource>

/** Octets of PEM that is not in a file. */
const MAX_PEM_OCTETS = 65_536

/**
 * @returns Where the flags say that the identity is. A private key in a file may be one of a TPM, so that is looked into.
 * @throws {CliError}
 */
export function identityKindOf(flags: IdentityFlags): IdentityKind {
  const { certificate, 'private-key': key = certificate, p12, spiffe, store } = flags
  if (p12 !== undefined) return 'p12'
  if (spiffe !== undefined) return 'spiffe'
  if (store !== undefined) return kindOfStore(store)
  if (key?.startsWith('pkcs11:')) return 'pkcs11'
  if (certificate?.startsWith('pkcs11:')) {
    throw usageError('--private-key must be a pkcs11: URI too, or left out, where --certificate is one')
  }
  required('--certificate', certificate)
  if (key?.startsWith('handle:') || flags.tpm !== undefined || isTpmKey(key)) return 'tpm'
  return [certificate, key, flags.intermediates].some(isRead) ? 'memory' : 'pem'
}

/** Options of each kind of identity, checked; and what is done with them. */
export async function openerOf(
  kind: IdentityKind,
  flags: IdentityFlags,
  onWarning: OnRolesAnywhereWarning,
): Promise<Opener> {
  const { certificate = '', intermediates: intermediatesFile, 'private-key': key } = flags
  switch (kind) {
    case 'pem':
      return withSecrets(flags, { password: 'key-password' }, (secrets) =>
        pemIdentity({ certificateFile: certificate, privateKeyFile: key, intermediatesFile, onWarning, ...secrets }),
      )
    case 'memory':
      return openMemory(flags, onWarning)
    case 'p12':
      return withSecrets(flags, { password: 'p12-password' }, (secrets) =>
        pkcs12Identity({ file: flags.p12 ?? '', onWarning, ...secrets }),
      )
    case 'spiffe': {
      const identity = spiffeIdentity({
        directory: flags.spiffe ?? '',
        ...given('spiffeId', flags['spiffe-id']),
        onWarning,
      })
      return () => Promise.resolve(identity)
    }
    case 'pkcs11':
      return openPkcs11(flags, onWarning)
    case 'tpm':
      return openTpm(flags, onWarning)
    default: {
      const { openerOfStore } = await import('./open-store.ts')
      return openerOfStore(kind, flags, onWarning)
    }
  }
}

/**
 * Reads secrets, makes something with them, and zeroes them when that is closed.
 *
 * @param names Flag of each secret.
 */
export function withSecrets<K extends string, T extends { close(): Promise<void> }>(
  flags: IdentityFlags,
  names: Readonly<Record<K, keyof IdentityFlags>>,
  make: (secrets: { readonly [key in K]?: Buffer }) => T,
): () => Promise<T> {
  return async () => {
    const secrets: { [key in K]?: Buffer } = {}
    const forget = () => {
      for (const secret of Object.values<Buffer | undefined>(secrets)) secret?.fill(0)
    }
    try {
      for (const [option, name] of Object.entries(names) as [K, keyof IdentityFlags][]) {
        const source = flags[name]
        if (typeof source === 'string') secrets[option] = await readSecret(source, `--${name}`)
      }
      const made = make(secrets)
      return { ...made, close: () => made.close().finally(forget) }
    } catch (error) {
      forget()
      throw error
    }
  }
}

function kindOfStore(store: string): IdentityKind {
  const [kind = '', place] = store.split(/:(.*)/s)
  if (kind === 'pkcs11' && place !== undefined) return 'tokens'
  if (kind === 'system' && place !== '') return 'system'
  if (kind === 'folder' && place) return 'folder'
  if (kind === 'p12' && place) return 'p12-store'
  throw usageError('--store must be folder:/path, p12:/path, pkcs11:…, or system')
}

/** Not a file, but something that is read once. */
const isRead = (place: string | undefined): boolean => place !== undefined && /^(?:stdin$|fd:|env:)/.test(place)

const isTpmKey = (path: string | undefined): boolean =>
  path !== undefined && !isRead(path) && pemLabelsIn(path, ['TSS2 PRIVATE KEY']).length > 0

function openMemory(flags: IdentityFlags, onWarning: OnRolesAnywhereWarning): Opener {
  const read = async (name: 'certificate' | 'private-key' | 'intermediates') => {
    const place = flags[name]
    return isRead(place) ? readSecret(place ?? '', `--${name}`, MAX_PEM_OCTETS) : fileOf(`--${name}`, place)
  }
  return async () => {
    const [certificate, privateKey, intermediates] = [
      (await read('certificate')) ?? Buffer.alloc(0),
      await read('private-key'),
      await read('intermediates'),
    ]
    try {
      return await withSecrets(flags, { password: 'key-password' }, (secrets) =>
        bufferIdentity({ certificate, privateKey, intermediates, onWarning, ...secrets }),
      )()
    } finally {
      for (const octets of [certificate, privateKey]) octets?.fill(0)
    }
  }
}

async function openPkcs11(flags: IdentityFlags, onWarning: OnRolesAnywhereWarning): Promise<Opener> {
  const { certificate, 'private-key': privateKey, intermediates } = flags
  const { tokenOptionsOf, uriOf } = await import('./pkcs11-flags.ts')
  const token = tokenOptionsOf(flags)
  if (privateKey !== undefined) uriOf(privateKey, '--private-key')
  const inToken = certificate?.startsWith('pkcs11:') === true
  if (inToken) uriOf(certificate, '--certificate')
  const place = {
    ...given(inToken ? 'certificate' : 'certificateFile', certificate),
    ...given('privateKey', privateKey),
  }
  return withSecrets(flags, { pin: 'pin' }, (secrets) =>
    pkcs11Identity({ ...place, ...given('intermediatesFile', intermediates), token, onWarning, ...secrets }),
  )
}

async function openTpm(flags: IdentityFlags, onWarning: OnRolesAnywhereWarning): Promise<Opener> {
  const { certificate = '', 'private-key': key, intermediates } = flags
  for (const name of ['certificate', 'private-key', 'intermediates'] as const) {
    if (isRead(flags[name])) throw usageError(`--${name} must be a file where the key is in a TPM`)
  }
  const { keyOptionsOf, tpmOptionsOf } = await import('./tpm-flags.ts')
  const init = { ...tpmOptionsOf({ ...flags, tpm: flags.tpm ?? '/dev/tpmrm0' }), ...keyOptionsOf(flags) }
  const place = key?.startsWith('handle:') ? { handle: handleOf(key) } : key === undefined ? undefined : { file: key }
  const names = { keyPassword: 'tpm-key-auth', parentPassword: 'tpm-parent-auth' } as const
  return withSecrets(flags, names, (secrets) =>
    tpmIdentity({
      ...init,
      certificateFile: certificate,
      ...given('intermediatesFile', intermediates),
      ...given('key', place),
      onWarning,
      ...secrets,
    }),
  )
}

function handleOf(text: string): number {
  try {
    return parseTpmHandle(text)
  } catch {
    throw usageError('--private-key: a TPM handle is handle:0x81000101')
  }
}
