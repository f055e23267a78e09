import type { KeyObject } from 'node:crypto'
import type { X509Identity } from '../types.ts'
import type { PrivateKey } from './private-key.ts'

/** A private key without its certificate. It can sign a test message; for a session it takes an identity. */
export interface LoneKey extends Pick<X509Identity, 'keyType' | 'sign'> {
  /** Absent with ML-DSA, which the OpenSSL of most Nodes does not know. */
  readonly publicKey?: KeyObject
  /** Gives back sessions and handles, and forgets the key. */
  close(): Promise<void>
}

export function loneKey(key: PrivateKey, close = () => Promise.resolve(key.wipe())): LoneKey {
  const { publicKey, sign } = key
  return {
    keyType: publicKey.keyType,
    ...('key' in publicKey && { publicKey: publicKey.key }),
    sign,
    close,
  }
}
