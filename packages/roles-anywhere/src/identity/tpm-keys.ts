import type { Tpm } from '@hardbound/tpm2'
import type { OpenTpmSigningKeyInit, TpmSigningKey } from '@hardbound/tpm2/signing-key'
import { RolesAnywhereError } from '../errors.ts'
import { fromDevice } from './device-errors.ts'
import { deviceKey } from './device-key.ts'
import type { Password, PasswordKeeper } from './password.ts'
import type { PrivateKey } from './private-key.ts'

/** Which TPM, and how to get at a key there. Options of `openTpmSigningKey` that are not named here go there. */
export interface TpmDeviceInit
  extends Pick<
    OpenTpmSigningKeyInit,
    'useEkParent' | 'pcrs' | 'sessionEncryption' | 'dangerouslyAllowTcp' | 'timeoutMs'
  > {
  /** Address as @hardbound/tpm2 has it, or an open `Tpm`. Default: `/dev/tpmrm0`. */
  readonly tpm?: OpenTpmSigningKeyInit['tpm'] | undefined
  /** Of the key, 64 octets at most. Where a person is to be asked, the empty one is tried first if a file says so, or that can do no harm. */
  readonly keyPassword?: Password | undefined
  /** Of its parent, or of the parent's hierarchy. Default: empty. */
  readonly parentPassword?: string | Uint8Array | undefined
}

/** Persistent handle, or a TSS2 PRIVATE KEY: in a file, or as text. */
export type TpmKeyName = { readonly handle: number } | { readonly file: string } | { readonly pem: string }

/** Where a key is, and what to call that in messages. */
export interface TpmKeyPlace {
  readonly from: string
  readonly key: { readonly handle: number } | { readonly pem: string }
}

/** Keys of one TPM, over one connection. */
export interface TpmKeys {
  /** Has work done with a key, which is opened unless it is already; and opened anew where it turns out to be another one by now. */
  use<T>(place: TpmKeyPlace, work: (key: PrivateKey) => Promise<T>): Promise<T>
  close(): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 30_000

export function createTpmKeys(init: TpmDeviceInit, password: PasswordKeeper): TpmKeys {
  const { tpm: address = '/dev/tpmrm0', timeoutMs = DEFAULT_TIMEOUT_MS } = init
  const parentAuth = init.parentPassword === undefined ? undefined : Buffer.from(init.parentPassword)
  let device: Promise<Tpm> | undefined
  let present: { readonly name: string; readonly key: TpmSigningKey } | undefined
  /** Those before may be in use still. */
  const opened: TpmSigningKey[] = []
  /** Why a key was not opened: its TPM is not to count the same mistake twice. */
  let refused: { readonly name: string; readonly error: RolesAnywhereError } | undefined

  async function openDevice(): Promise<Tpm> {
    if (typeof address !== 'string') return address
    const { openTpm, openTransport } = await import('@hardbound/tpm2')
    const { dangerouslyAllowTcp = false } = init
    const transport = () => openTransport(address, { timeoutMs, dangerouslyAllowTcp })
    return openTpm({ transport, commandTimeoutMs: timeoutMs, openTimeoutMs: timeoutMs })
  }

  async function openWith(key: TpmKeyPlace['key'], keyAuth: Uint8Array): Promise<TpmSigningKey> {
    const { openTpmSigningKey } = await import('@hardbound/tpm2/signing-key')
    device ??= openDevice().catch((error: unknown) => {
      device = undefined
      throw error
    })
    const { useEkParent, pcrs, sessionEncryption } = init
    return openTpmSigningKey({
      tpm: await device,
      key,
      keyAuth,
      ...(parentAuth !== undefined && { parentAuth }),
      ...(useEkParent !== undefined && { useEkParent }),
      ...(pcrs !== undefined && { pcrs }),
      ...(sessionEncryption !== undefined && { sessionEncryption }),
      ...(init.timeoutMs !== undefined && { timeoutMs: init.timeoutMs }),
    })
  }

  /** A password that was given is used. A person is asked where there must be one, or where none did not do. */
  async function openKey({ key, from }: TpmKeyPlace): Promise<TpmSigningKey> {
    const ask = () => password.use(`the key ${from}`, (it) => openWith(key, it))
    if (password.given || (password.asks && !(await mayTryEmpty(key)))) return ask()
    return openWith(key, new Uint8Array()).catch((error: unknown) => {
      if (password.asks && (error as NodeJS.ErrnoException).code === 'ERR_TPM_AUTH_FAIL') return ask()
      throw error
    })
  }

  async function open(place: TpmKeyPlace): Promise<TpmSigningKey> {
    const name = JSON.stringify(place.key)
    if (refused?.name === name) throw refused.error
    try {
      const key = await fromDevice('TPM', () => openKey(place))
      opened.push(key)
      present = { name, key }
      return key
    } catch (error) {
      const isPassword = error instanceof RolesAnywhereError && error.code === 'ERR_RA_PASSWORD'
      if (isPassword && !password.asks) refused = { name, error }
      throw error
    }
  }

  return {
    async use(place, work) {
      const before = present?.name === JSON.stringify(place.key) ? present.key : undefined
      try {
        return await work(deviceKey('TPM', before ?? (await open(place))))
      } catch (error) {
        const isOther = error instanceof RolesAnywhereError && error.code === 'ERR_RA_MISMATCH'
        if (before === undefined || !isOther) throw error
        return work(deviceKey('TPM', await open(place))) // somebody has put a new key at the handle
      }
    },
    async close() {
      for (const key of opened.splice(0)) await key.close()
      parentAuth?.fill(0)
      const tpm = await device?.catch(() => undefined)
      if (typeof address === 'string') await tpm?.close()
    },
  }
}

/**
 * Whether the empty password may be tried before somebody is asked for one: the file says that it is empty, or a wrong one is not counted
 * (`noDA`). What the file says alone is not enough: `tpm2_encodeobject` 5.4 writes the opposite.
 */
async function mayTryEmpty(key: TpmKeyPlace['key']): Promise<boolean> {
  if ('handle' in key) return false
  const [{ readKeyFile }, { decodePublic }] = await Promise.all([
    import('@hardbound/tpm2/key-file'),
    import('@hardbound/tpm2'),
  ])
  const file = await fromDevice('TPM', () => Promise.resolve().then(() => readKeyFile(key.pem)))
  return file.emptyAuth === true || decodePublic(file.public).attributes.includes('noDA')
}
