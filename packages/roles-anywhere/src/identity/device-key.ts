import type { KeyObject } from 'node:crypto'
import { RolesAnywhereError } from '../errors.ts'
import type { SignatureHash } from '../types.ts'
import { fromDevice } from './device-errors.ts'
import type { PrivateKey } from './private-key.ts'
import { assertKeyKind } from './public-key.ts'

/** What @hardbound/pkcs11 and @hardbound/tpm2 call a signing key. */
interface SigningKey {
  readonly publicKey: KeyObject
  sign(
    message: Uint8Array,
    scheme: { scheme: 'rsassa-pkcs1-v1_5' | 'ecdsa'; hash: SignatureHash },
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array>
}

/**
 * A private key in a device, which verifies each of its signatures itself.
 *
 * @throws {RolesAnywhereError} `ERR_RA_KEY`
 */
export function deviceKey(device: 'PKCS #11' | 'TPM', key: SigningKey): PrivateKey {
  const keyType = keyTypeOf(device, key.publicKey)
  const scheme = keyType === 'rsa' ? 'rsassa-pkcs1-v1_5' : 'ecdsa'
  return {
    publicKey: { keyType, key: key.publicKey },
    verifies: true,
    sign: (message, hash, options) => fromDevice(device, () => key.sign(message, { scheme, hash }, options)),
    wipe() {}, // nothing of it is here
  }
}

function keyTypeOf(device: string, publicKey: KeyObject): 'rsa' | 'ec' {
  try {
    return assertKeyKind(publicKey)
  } catch (error) {
    throw new RolesAnywhereError('ERR_RA_KEY', `${device}: the private key is ${(error as TypeError).message}`)
  }
}
