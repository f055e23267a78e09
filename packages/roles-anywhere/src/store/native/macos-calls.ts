import { RolesAnywhereError } from '../../errors.ts'
import type { SignatureHash } from '../../types.ts'
import { callAsync, type Koffi, type Pointer } from './koffi.ts'
import type { NativeCalls, NativeIdentity, NativeKey } from './native-store.ts'

const MAX_CERTIFICATES = 1_024
const FRAMEWORKS = '/System/Library/Frameworks'
/** SecBase.h */
const ERR_SEC_ITEM_NOT_FOUND = -25_300

/**
 * The keychains on the search list, by Security.framework.
 *
 * @see {@link https://developer.apple.com/documentation/security/secitemcopymatching(_:_:) SecItemCopyMatching}
 */
export function macosCalls(koffi: Koffi): NativeCalls {
  const cf = koffi.load(`${FRAMEWORKS}/CoreFoundation.framework/CoreFoundation`)
  const security = koffi.load(`${FRAMEWORKS}/Security.framework/Security`)
  const outPointer = koffi.out(koffi.pointer('void *'))
  const release = cf.func('CFRelease', 'void', ['void *'])
  const retain = cf.func('CFRetain', 'void *', ['void *'])
  const count = cf.func('CFArrayGetCount', 'int64_t', ['void *'])
  const at = cf.func('CFArrayGetValueAtIndex', 'void *', ['void *', 'int64_t'])
  const dictionary = cf.func('CFDictionaryCreate', 'void *', [
    'void *',
    'void **',
    'void **',
    'int64_t',
    'void *',
    'void *',
  ])
  const dataOf = cf.func('CFDataCreate', 'void *', ['void *', 'uint8_t *', 'int64_t'])
  const dataLength = cf.func('CFDataGetLength', 'int64_t', ['void *'])
  const dataOctets = cf.func('CFDataGetBytePtr', 'void *', ['void *'])
  const errorCode = cf.func('CFErrorGetCode', 'int64_t', ['void *'])
  const copyMatching = security.func('SecItemCopyMatching', 'int32_t', ['void *', outPointer])
  const copyCertificate = security.func('SecIdentityCopyCertificate', 'int32_t', ['void *', outPointer])
  const copyData = security.func('SecCertificateCopyData', 'void *', ['void *'])
  const copyKey = security.func('SecIdentityCopyPrivateKey', 'int32_t', ['void *', outPointer])
  const createSignature = security.func('SecKeyCreateSignature', 'void *', ['void *', 'void *', 'void *', outPointer])

  /** Variables that hold the address of an object that is always there. */
  const constant = (library: typeof cf, name: string): Pointer => koffi.decode(library.symbol(name, 'void *'), 'void *')

  /** All of a class, with references. */
  function matching(className: string): Pointer[] {
    const keys = ['kSecClass', 'kSecReturnRef', 'kSecMatchLimit'].map((it) => constant(security, it))
    const values = [
      constant(security, className),
      constant(cf, 'kCFBooleanTrue'),
      constant(security, 'kSecMatchLimitAll'),
    ]
    const callbacks = ['Key', 'Value'].map((it) => cf.symbol(`kCFTypeDictionary${it}CallBacks`, 'void *'))
    const query = dictionary(null, keys, values, keys.length, ...callbacks)
    const found: Pointer[] = [null]
    const status = Number(copyMatching(query, found))
    release(query)
    if (status === ERR_SEC_ITEM_NOT_FOUND) return []
    if (status !== 0)
      throw new RolesAnywhereError('ERR_RA_STORE', `the keychain did not answer (SecItemCopyMatching: ${status})`)
    const [list] = found
    const length = Math.min(Number(count(list)), MAX_CERTIFICATES)
    const items = Array.from({ length }, (_, index) => retain(at(list, index)))
    release(list)
    return items
  }

  function octetsOf(data: Pointer): Uint8Array {
    const type = koffi.array('uint8_t', Number(dataLength(data)), 'Typed')
    const octets = Uint8Array.from(koffi.decode(dataOctets(data), type) as Uint8Array)
    release(data)
    return octets
  }

  function identityOf(identity: Pointer): NativeIdentity {
    const certificate: Pointer[] = [null]
    const known = Number(copyCertificate(identity, certificate)) === 0
    const der = known ? octetsOf(copyData(certificate[0])) : new Uint8Array() // which is no certificate, and matches nothing
    if (known) release(certificate[0])
    return { certificate: der, openKey: () => openKey(identity), release: () => void release(identity) }
  }

  function openKey(identity: Pointer): NativeKey {
    const key: Pointer[] = [null]
    const status = Number(copyKey(identity, key))
    if (status !== 0) {
      throw new RolesAnywhereError('ERR_RA_MISMATCH', `the keychain has no private key for the certificate (${status})`)
    }
    return {
      async signDigest(digest, hash, keyType) {
        const data = dataOf(null, digest, digest.length)
        const error: Pointer[] = [null]
        try {
          const signature = await callAsync(
            createSignature,
            key[0],
            constant(security, algorithm(hash, keyType)),
            data,
            error,
          )
          if (signature !== null) return octetsOf(signature)
          const code = error[0] === null ? 'unknown' : Number(errorCode(error[0]))
          throw new RolesAnywhereError('ERR_RA_KEY', `the keychain did not sign (SecKeyCreateSignature: ${code})`)
        } finally {
          if (error[0] !== null) release(error[0])
          release(data)
        }
      },
      close: () => void release(key[0]),
    }
  }

  return {
    identities: () => matching('kSecClassIdentity').map(identityOf),
    intermediates: () =>
      matching('kSecClassCertificate').map((certificate) => {
        const der = octetsOf(copyData(certificate))
        release(certificate)
        return der
      }),
  }
}

function algorithm(hash: SignatureHash, keyType: 'rsa' | 'ec'): string {
  return `kSecKeyAlgorithm${keyType === 'rsa' ? 'RSASignatureDigestPKCS1v15' : 'ECDSASignatureDigestX962'}${hash.toUpperCase()}`
}
