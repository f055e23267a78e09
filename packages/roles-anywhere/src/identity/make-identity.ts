import { RolesAnywhereError } from '../errors.ts'
import type { X509Identity } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { chainOf, parseCertificate } from './chain.ts'
import type { PrivateKey } from './private-key.ts'
import { isSameKey, isSignatureOf, type PublicKey, publicKeyOfCertificate } from './public-key.ts'

/** Octets, and what to call the place they are from in messages: `/etc/pki/client.pem`. */
export interface Named<T> {
  readonly from: string
  readonly value: T
}

/** What an identity is made of. */
export interface IdentityParts {
  /** DER */
  readonly leaf: Named<Uint8Array>
  /** Where intermediates may be among, DER. */
  readonly others: Named<readonly Uint8Array[]>
  readonly key: Named<PrivateKey>
  /** Told where somebody named intermediates, and none is of this leaf. */
  readonly onUnlinked?: OnRolesAnywhereWarning | undefined
}

/** What is signed to see whether it can be. Nothing that the service takes begins so. */
export const TEST_MESSAGE = Buffer.from('hardbound/roles-anywhere/key-test/v1')

/**
 * Makes one generation: certificate and key belong together, and a signature was made and verified.
 *
 * @throws {RolesAnywhereError} `ERR_RA_MISMATCH`, `ERR_RA_CERTIFICATE`, `ERR_RA_KEY`, `ERR_RA_CHAIN`
 */
export async function makeIdentity({ leaf, others, key, onUnlinked }: IdentityParts): Promise<X509Identity> {
  const { publicKey, sign } = key.value
  const certified = readPublicKey(leaf)
  if (!isSameKey(certified, publicKey)) throw mismatch(leaf, key, certified)
  await assertSigns(key, certified)
  return {
    certificate: Uint8Array.from(leaf.value),
    chain: await chainOf(leaf.value, others.value, others.from, onUnlinked),
    keyType: publicKey.keyType,
    sign,
  }
}

/** @throws {RolesAnywhereError} `ERR_RA_KEY` where what a key signs is not signed. Devices look after that themselves. */
export async function assertSigns(
  { from, value: { sign, verifies } }: Named<PrivateKey>,
  as: PublicKey,
): Promise<void> {
  if (verifies === true) return
  const signature = await sign(TEST_MESSAGE, 'sha256')
  if (await isSignatureOf(as, TEST_MESSAGE, 'sha256', signature)) return
  throw new RolesAnywhereError('ERR_RA_KEY', `the private key in ${from} is damaged: its signatures do not hold`)
}

/** @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE` */
export function readPublicKey({ from, value }: Named<Uint8Array>): PublicKey {
  parseCertificate(value, from)
  try {
    return publicKeyOfCertificate(value)
  } catch (error) {
    const why = error instanceof TypeError ? `is for ${error.message}` : 'can not be read'
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `the certificate in ${from} ${why}`)
  }
}

function mismatch(leaf: Named<Uint8Array>, key: Named<PrivateKey>, { keyType }: PublicKey): RolesAnywhereError {
  const names = { rsa: 'an RSA', ec: 'an EC', 'ml-dsa': 'an ML-DSA' }
  const mine = key.value.publicKey.keyType
  const kinds = mine === keyType ? '' : ` (the key is ${names[mine]} key, the certificate is for ${names[keyType]} key)`
  return new RolesAnywhereError(
    'ERR_RA_MISMATCH',
    `the private key in ${key.from} is not that of the certificate in ${leaf.from}${kinds}: name the pair that was issued together`,
  )
}
