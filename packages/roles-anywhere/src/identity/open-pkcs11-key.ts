import { deviceKey } from './device-key.ts'
import { type LoneKey, loneKey } from './lone-key.ts'
import { keepPassword, type Password } from './password.ts'
import { findPrivateKey } from './pkcs11-find.ts'
import { type IdentityTokenInit, openIdentityToken } from './pkcs11-token.ts'

/** Which key of which token: options of `pkcs11Identity`. */
export interface Pkcs11KeyInit extends Pick<IdentityTokenInit, 'modulePath' | 'token'> {
  /** `pkcs11:` URI, which one private key alone fits. */
  readonly privateKey: string
  /** Goes before that in the URI. */
  readonly pin?: Password | undefined
}

/**
 * Opens the one private key of a PKCS #11 token that a URI fits, whose certificate is not known or does not matter. Its public key has
 * to be in the token.
 *
 * @throws {TypeError} on wrong options.
 * @throws {RolesAnywhereError} `ERR_RA_KEY`, `ERR_RA_SELECTOR`, `ERR_RA_PASSWORD`, `ERR_RA_DEVICE`
 */
export async function openPkcs11Key({ privateKey, modulePath, pin, token }: Pkcs11KeyInit): Promise<LoneKey> {
  if (privateKey === undefined) throw new TypeError('"privateKey" is missing')
  const keeper = keepPassword(pin)
  const opened = await openIdentityToken({ privateKey, modulePath, token }, keeper)
  const close = async () => {
    keeper.stopAsking()
    await opened.close()
    keeper.wipe()
  }
  try {
    const key = await findPrivateKey(opened)
    return loneKey(deviceKey('PKCS #11', key), () => key.close().finally(close))
  } catch (error) {
    await close()
    throw error
  }
}
