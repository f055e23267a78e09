import { createHash } from 'node:crypto'
import { RolesAnywhereError } from '../../errors.ts'
import { closedError } from '../../identity/closed.ts'
import { makeIdentity, readPublicKey } from '../../identity/make-identity.ts'
import { isSignatureOf } from '../../identity/public-key.ts'
import type { SignatureHash, X509Identity, X509IdentitySource } from '../../types.ts'
import type { CertificateStore } from '../certificate-store.ts'

/** A private key that stays where it is. */
export interface NativeKey {
  /** RSA: RSASSA-PKCS1-v1_5. EC: as DER. */
  signDigest(digest: Uint8Array, hash: SignatureHash, keyType: 'rsa' | 'ec'): Promise<Uint8Array>
  close(): void
}

/** A certificate of the system's store. It must be released. */
export interface NativeIdentity {
  /** DER, copied. */
  readonly certificate: Uint8Array
  /** @throws {RolesAnywhereError} `ERR_RA_MISMATCH` where it has no private key. */
  openKey(): NativeKey
  release(): void
}

/** What is asked of the certificate store of a system. */
export interface NativeCalls {
  identities(): readonly NativeIdentity[]
  /** Where intermediates may be among, DER. */
  intermediates(): readonly Uint8Array[]
}

/**
 * Makes a store of calls into the system. Every signature is verified before it is given out.
 *
 * @param load Called for each look at the store, and only then.
 */
export function nativeStore(name: string, load: () => Promise<NativeCalls>): CertificateStore {
  const location = `the ${name} store`
  const loaded = (): Promise<NativeCalls> =>
    load().catch((cause: unknown) => {
      if (cause instanceof RolesAnywhereError) throw cause
      throw new RolesAnywhereError('ERR_RA_STORE', `${location} can't be reached: its libraries are not there`, {
        cause,
      })
    })
  return {
    name,
    async list() {
      const found = (await loaded()).identities()
      for (const it of found) it.release()
      return found.map(({ certificate }) => ({ certificate, location }))
    },
    async open({ certificate }) {
      const calls = await loaded()
      const found = calls.identities()
      const mine = found.find((it) => Buffer.compare(it.certificate, certificate) === 0)
      for (const it of found) if (it !== mine) it.release()
      if (mine === undefined) {
        throw new RolesAnywhereError('ERR_RA_MISMATCH', `the certificate is not in ${location} any more`)
      }
      try {
        return await openNative(mine, calls.intermediates(), name, location)
      } catch (error) {
        mine.release()
        throw error
      }
    },
    close: () => Promise.resolve(),
  }
}

async function openNative(
  found: NativeIdentity,
  others: readonly Uint8Array[],
  name: string,
  from: string,
): Promise<X509IdentitySource> {
  const leaf = { from, value: found.certificate }
  const publicKey = readPublicKey(leaf)
  const { keyType } = publicKey
  if (keyType === 'ml-dsa') {
    throw new RolesAnywhereError(
      'ERR_RA_KEY',
      `${from} has a certificate for an ML-DSA key, which it can't sign with: use a file`,
    )
  }
  const key = found.openKey()
  let closed = false
  const close = (): void => {
    if (!closed) key.close()
    closed = true
  }
  const sign: X509Identity['sign'] = async (message, hash) => {
    if (closed) throw closedError()
    const signature = await key.signDigest(createHash(hash).update(message).digest(), hash, keyType)
    if (await isSignatureOf(publicKey, message, hash, signature)) return signature
    throw new RolesAnywhereError('ERR_RA_KEY', `the signature that ${from} made is not of the certificate's key`)
  }
  try {
    const value = { publicKey, verifies: true, sign, wipe: close }
    const identity = await makeIdentity({ leaf, others: { from, value: others }, key: { from, value } })
    return {
      name,
      current: () => (closed ? Promise.reject(closedError()) : Promise.resolve(identity)),
      close() {
        if (!closed) {
          close()
          found.release() // not before: Windows may tie the key to it
        }
        return Promise.resolve()
      },
    }
  } catch (error) {
    close()
    throw error
  }
}
