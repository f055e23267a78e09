import { closedError } from '../identity/closed.ts'
import { deviceKey } from '../identity/device-key.ts'
import { makeIdentity } from '../identity/make-identity.ts'
import type { PasswordKeeper } from '../identity/password.ts'
import { findKey } from '../identity/pkcs11-find.ts'
import { type IdentityTokenInit, openIdentityToken } from '../identity/pkcs11-token.ts'
import type { X509IdentitySource } from '../types.ts'

/**
 * Opens the private key of one certificate of a token. Other than `pkcs11Identity` it is this very certificate, although others may
 * have the same names there, as renewed ones do.
 *
 * @param certificate DER
 * @throws {RolesAnywhereError}
 */
export async function openTokenCertificate(
  certificate: Uint8Array,
  init: IdentityTokenInit,
  pin: PasswordKeeper,
): Promise<X509IdentitySource> {
  const token = await openIdentityToken(init, pin)
  try {
    const { key, leaf } = await findKey(token, certificate)
    try {
      const identity = await makeIdentity({
        leaf: { from: 'the token', value: leaf },
        others: { from: 'the token', value: (await token.certificates()).map(({ der }) => der) },
        key: { from: 'the token', value: deviceKey('PKCS #11', key) },
      })
      let closed = false
      return {
        name: 'pkcs11',
        current: () => (closed ? Promise.reject(closedError()) : Promise.resolve(identity)),
        async close() {
          closed = true
          await key.close()
          await token.close()
        },
      }
    } catch (error) {
      await key.close()
      throw error
    }
  } catch (error) {
    await token.close()
    throw error
  }
}
