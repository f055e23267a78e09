import { RolesAnywhereError } from '../../errors.ts'
import { ecdsaDer } from './ecdsa-der.ts'
import { callAsync, type Koffi, type Pointer } from './koffi.ts'
import type { NativeCalls, NativeIdentity, NativeKey } from './native-store.ts'

const MAX_CERTIFICATES = 1_024
const MAX_SIGNATURE = 1_024
/** wincrypt.h */
const CERT_STORE_PROV_SYSTEM_W = 10
const OPEN_FLAGS = 0x8000 | 0x4000 // CERT_STORE_READONLY_FLAG, CERT_STORE_OPEN_EXISTING_FLAG
const LOCATIONS = { 'current-user': 0x1_0000, 'local-machine': 0x2_0000 } as const
const ACQUIRE_FLAGS = 0x4_0000 | 0x4 // CRYPT_ACQUIRE_ONLY_NCRYPT_KEY_FLAG, CRYPT_ACQUIRE_COMPARE_KEY_FLAG
/** bcrypt.h, ncrypt.h, winerror.h */
const BCRYPT_PAD_PKCS1 = 0x2
const NCRYPT_SILENT_FLAG = 0x40
const NTE_SILENT_CONTEXT = 0x8009_0022

/** Which store of Windows. */
export interface WindowsPlace {
  readonly location: keyof typeof LOCATIONS
  readonly storeName: string
}

/**
 * The store of Windows, by crypt32.dll and ncrypt.dll.
 *
 * @see {@link https://learn.microsoft.com/windows/win32/api/wincrypt/ wincrypt.h}, {@link https://learn.microsoft.com/windows/win32/api/ncrypt/ ncrypt.h}
 */
export function windowsCalls(koffi: Koffi, { location, storeName }: WindowsPlace): NativeCalls {
  const crypt32 = koffi.load('crypt32.dll')
  const ncrypt = koffi.load('ncrypt.dll')
  const out = (type: string): unknown => koffi.out(koffi.pointer(type))
  const context = koffi.struct({
    encoding: 'uint32_t',
    der: 'void *',
    length: 'uint32_t',
    info: 'void *',
    store: 'void *',
  })
  const padding = koffi.struct({ algorithm: 'str16' })
  const openStore = crypt32.func('CertOpenStore', 'void *', ['uintptr_t', 'uint32_t', 'uintptr_t', 'uint32_t', 'str16'])
  const closeStore = crypt32.func('CertCloseStore', 'int', ['void *', 'uint32_t'])
  const next = crypt32.func('CertEnumCertificatesInStore', 'void *', ['void *', 'void *'])
  const duplicate = crypt32.func('CertDuplicateCertificateContext', 'void *', ['void *'])
  const free = crypt32.func('CertFreeCertificateContext', 'int', ['void *'])
  const acquire = crypt32.func('CryptAcquireCertificatePrivateKey', 'int', [
    'void *',
    'uint32_t',
    'void *',
    out('uintptr_t'),
    out('uint32_t'),
    out('int'),
  ])
  const signHash = ncrypt.func('NCryptSignHash', 'int32_t', [
    'uintptr_t',
    koffi.pointer(padding),
    'uint8_t *',
    'uint32_t',
    'uint8_t *',
    'uint32_t',
    out('uint32_t'),
    'uint32_t',
  ])
  const freeKey = ncrypt.func('NCryptFreeObject', 'int32_t', ['uintptr_t'])

  /** Runs with each certificate of a store, whose context is freed after it; undefined where the store is not there. */
  function each<T>(name: string, work: (context: Pointer, der: Uint8Array) => T): T[] | undefined {
    const store = openStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, LOCATIONS[location] | OPEN_FLAGS, name)
    if (store === null) return undefined
    const results: T[] = []
    try {
      for (let it = next(store, null); it !== null; it = next(store, it)) {
        const { der, length } = koffi.decode(it, context) as { der: Pointer; length: number }
        results.push(
          work(it, Uint8Array.from(koffi.decode(der, koffi.array('uint8_t', length, 'Typed')) as Uint8Array)),
        )
        if (results.length < MAX_CERTIFICATES) continue
        free(it)
        break
      }
    } finally {
      closeStore(store, 0)
    }
    return results
  }

  function openKey(certificate: Pointer): NativeKey {
    const [key, spec, owned] = [[0], [0], [0]]
    if (acquire(certificate, ACQUIRE_FLAGS, null, key, spec, owned) === 0) {
      throw new RolesAnywhereError(
        'ERR_RA_MISMATCH',
        'Windows has no private key for the certificate that CNG can open',
      )
    }
    return {
      async signDigest(digest, hash, keyType) {
        const info = keyType === 'rsa' ? { algorithm: hash.toUpperCase() } : null
        const flags = keyType === 'rsa' ? BCRYPT_PAD_PKCS1 : 0
        const signature = Buffer.alloc(MAX_SIGNATURE)
        const length = [0]
        const sign = async (more: number): Promise<number> =>
          Number(
            await callAsync(
              signHash,
              key[0],
              info,
              digest,
              digest.length,
              signature,
              MAX_SIGNATURE,
              length,
              flags | more,
            ),
          ) >>> 0
        let status = await sign(NCRYPT_SILENT_FLAG)
        if (status === NTE_SILENT_CONTEXT) status = await sign(0) // a person has to be asked
        if (status !== 0) {
          throw new RolesAnywhereError('ERR_RA_KEY', `Windows did not sign (NCryptSignHash: 0x${status.toString(16)})`)
        }
        const made = signature.subarray(0, length[0])
        return keyType === 'rsa' ? made : ecdsaDer(made)
      },
      close() {
        if (owned[0] !== 0) freeKey(key[0])
      },
    }
  }

  return {
    identities() {
      const found = each(storeName, (it, certificate): NativeIdentity => {
        const mine = duplicate(it)
        return { certificate, openKey: () => openKey(mine), release: () => void free(mine) }
      })
      if (found !== undefined) return found
      throw new RolesAnywhereError('ERR_RA_STORE', `Windows has no store "${storeName}" for the ${location}`)
    },
    intermediates: () => each('CA', (_, der) => der) ?? [],
  }
}
