import type { PcrSelection } from '../pcr-selection.ts'
import type { KeyAuthOptions, ParentOptions, SaltKey, SessionEncryption, TpmOptions } from './options.ts'

/** Options that were checked, with copies of the passwords. */
export interface Settings {
  readonly keyAuth: Uint8Array
  readonly parentAuth: Uint8Array
  readonly ekParent: 'rsa' | 'ecc' | undefined
  readonly pcrs: readonly PcrSelection[] | undefined
  readonly encryption: SessionEncryption | undefined
  /** Zeroes the passwords. */
  wipe(): void
}

const SALT_KEYS: readonly unknown[] = ['ek-rsa', 'ek-ecc', 'srk-rsa', 'srk-ecc'] satisfies SaltKey[]
/** Longer authorisation values don't fit any TPM's name algorithm. */
const MAX_PASSWORD = 64

/** @throws {TypeError} on options that can't be right; no message has a value. */
export function settingsOf(init: KeyAuthOptions & ParentOptions & Pick<TpmOptions, 'sessionEncryption'>): Settings {
  const keyAuth = password('keyAuth', init.keyAuth)
  const parentAuth = password('parentAuth', init.parentAuth)
  const { pcrs, sessionEncryption, useEkParent } = init
  if (![undefined, true, false, 'rsa', 'ecc'].includes(useEkParent)) {
    throw new TypeError('"useEkParent" must be true, false, rsa or ecc')
  }
  if (pcrs?.length === 0 || pcrs?.some((it) => it.pcrs.length === 0)) throw new TypeError('"pcrs" must name some PCR')
  if (sessionEncryption !== undefined) assertEncryption(sessionEncryption)
  return {
    keyAuth,
    parentAuth,
    ekParent: useEkParent === true ? 'rsa' : useEkParent === false ? undefined : useEkParent,
    pcrs,
    encryption: sessionEncryption,
    wipe() {
      keyAuth.fill(0)
      parentAuth.fill(0)
    },
  }
}

/** A salt that nobody vouches for protects from nobody, so there is no encryption without a name. */
function assertEncryption({ name, key }: SessionEncryption): void {
  if (typeof name !== 'string' || !/^000b[0-9a-f]{64}$/i.test(name)) {
    throw new TypeError('"sessionEncryption.name" must be the name of the salt key: 000b and 64 hexadecimal digits')
  }
  if (key !== undefined && !SALT_KEYS.includes(key) && !(typeof key === 'number' && isPersistent(key))) {
    throw new TypeError('"sessionEncryption.key" must be ek-rsa, ek-ecc, srk-rsa, srk-ecc or a persistent handle')
  }
}

function password(option: string, value: Uint8Array = new Uint8Array()): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length > MAX_PASSWORD) {
    throw new TypeError(`"${option}" must be octets, ${MAX_PASSWORD} at most`)
  }
  // A TPM leaves zeros at the end out (Part 1 §19.6.4.3).
  let length = value.length
  while (value[length - 1] === 0) length -= 1
  return Uint8Array.from(value.subarray(0, length))
}

/** TPM_HT_PERSISTENT, Part 2 §7.2 */
export const isPersistent = (handle: number): boolean =>
  Number.isInteger(handle) && handle >>> 24 === 0x81 && handle > 0
