import type { Pkcs11Uri } from '@hardbound/pkcs11'
import { RolesAnywhereError } from '../errors.ts'

/** What the URIs of certificate and private key say. */
export interface Pkcs11Names {
  /** Token, module and PIN. */
  readonly token: Pkcs11Uri
  /** Of the certificate, where it is in the token. */
  readonly certificate: Pkcs11Uri | undefined
  /** Of the private key, where it was named by itself. */
  readonly privateKey: Pick<Pkcs11Uri, 'object' | 'id'> | undefined
}

/**
 * Puts together what two URIs say of the one token that both are in. What the private key's says goes first, the PIN included.
 *
 * @param parse `parsePkcs11Uri`, whose package is loaded late.
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`
 */
export function pkcs11Names(
  uris: { certificate?: string | undefined; privateKey?: string | undefined; modulePath?: string | undefined },
  parse: (text: string) => Pkcs11Uri,
): Pkcs11Names {
  const certificate = uris.certificate === undefined ? undefined : parsed('certificate', uris.certificate, parse)
  const privateKey = uris.privateKey === undefined ? undefined : parsed('privateKey', uris.privateKey, parse)
  const { pinSource, pinValue } = [privateKey, certificate].find((it) => it?.pinSource ?? it?.pinValue) ?? {}
  const {
    object: _object,
    id: _id,
    type: _type,
    pinSource: _source,
    pinValue: _value,
    ...token
  } = {
    ...certificate,
    ...privateKey,
  }
  return {
    token: {
      ...token,
      ...(pinSource !== undefined && { pinSource }),
      ...(pinValue !== undefined && { pinValue }),
      ...(uris.modulePath !== undefined && { modulePath: uris.modulePath }),
    },
    certificate,
    privateKey,
  }
}

/** The parser's errors name the attribute, never its value. */
function parsed(option: string, text: string, parse: (text: string) => Pkcs11Uri): Pkcs11Uri {
  try {
    return parse(text)
  } catch (error) {
    throw new RolesAnywhereError('ERR_RA_SELECTOR', `"${option}" is no PKCS #11 URI: ${(error as TypeError).message}`)
  }
}
