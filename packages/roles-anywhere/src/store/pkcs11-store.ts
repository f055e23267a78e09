import type { Pkcs11Uri, TokenInfo } from '@hardbound/pkcs11'
import type { Pkcs11Certificate } from '@hardbound/pkcs11/signing-key'
import { RolesAnywhereError } from '../errors.ts'
import { fromDevice } from '../identity/device-errors.ts'
import { keepPassword, type Password, type PasswordKeeper } from '../identity/password.ts'
import { type IdentityTokenInit, openIdentityToken } from '../identity/pkcs11-token.ts'
import type { CertificateStore, StoredCertificate } from './certificate-store.ts'
import { openTokenCertificate } from './open-token-certificate.ts'
import { readTokenCertificates } from './token-certificates.ts'

/** The tokens of a PKCS #11 module. */
export interface Pkcs11StoreInit {
  /** Which tokens, and which certificates there; module and PIN may be in it too. Default: `pkcs11:`, which is all. */
  readonly uri?: string | undefined
  /** Absolute path of the module. Default: that in the URI, or p11-kit's proxy. */
  readonly modulePath?: string | undefined
  /** Needed for signing, and where certificates can't be seen without. Goes before that in the URI. */
  readonly pin?: Password | undefined
  /** Further options of `openPkcs11SigningKey`. */
  readonly token?: IdentityTokenInit['token']
}

/**
 * Makes a store of tokens. Listing needs no PIN; where nothing is found without one in the one token that the URI fits, and there is
 * a PIN that nobody has to be asked for, it is used.
 *
 * @throws {TypeError} on wrong options. What it returns throws {@link RolesAnywhereError}.
 */
export function pkcs11Store(init: Pkcs11StoreInit): CertificateStore {
  const { uri = 'pkcs11:', modulePath, token } = init
  if (typeof uri !== 'string' || !uri.startsWith('pkcs11:')) throw new TypeError('"uri" must be a PKCS #11 URI')
  const pin = keepPassword(init.pin)
  return {
    name: 'pkcs11',
    async list() {
      const { formatPkcs11Uri } = await import('@hardbound/pkcs11')
      const asked = await parsed(uri)
      const found = await fromDevice('PKCS #11', () => readTokenCertificates(asked, moduleOf(asked, init)))
      const [first, second] = found
      const seen = found.flatMap(({ token: info, certificates }) => certificates.map((it) => ({ info, it })))
      const hidden =
        seen.length === 0 && first !== undefined && second === undefined && hasPin(asked, pin)
          ? (await behindPin(uri, asked, init, pin)).map((it) => ({ info: first.token, it }))
          : []
      return [...seen, ...hidden].map(({ info, it }) => stored(it, formatPkcs11Uri(uriOf(info, it))))
    },
    async open(certificate) {
      const { formatPkcs11Uri, parsePkcs11Uri } = await import('@hardbound/pkcs11')
      const asked = await parsed(uri)
      // The key has the certificate's CKA_ID, if it is as it should be; its label is its own.
      const { type: _type, object: _object, ...place } = parsePkcs11Uri(certificate.location)
      const privateKey = formatPkcs11Uri({ ...secretOf(asked), ...place }, { dangerouslyShowPin: true })
      return openTokenCertificate(
        certificate.certificate,
        { privateKey, modulePath: modulePath ?? asked.modulePath, token },
        pin,
      )
    },
    close() {
      pin.stopAsking()
      pin.wipe()
      return Promise.resolve()
    },
  }
}

async function parsed(uri: string): Promise<Pkcs11Uri> {
  const { parsePkcs11Uri } = await import('@hardbound/pkcs11')
  try {
    return parsePkcs11Uri(uri)
  } catch (error) {
    // The parser's errors name the attribute, never its value.
    throw new RolesAnywhereError('ERR_RA_SELECTOR', `"uri" is no PKCS #11 URI: ${(error as TypeError).message}`)
  }
}

function moduleOf({ modulePath, moduleName }: Pkcs11Uri, init: Pkcs11StoreInit) {
  return { ...init.token, modulePath: init.modulePath ?? modulePath, moduleName }
}

const hasPin = ({ pinSource, pinValue }: Pkcs11Uri, pin: PasswordKeeper): boolean =>
  pin.given || (pinSource ?? pinValue) !== undefined

async function behindPin(
  certificate: string,
  { object, id }: Pkcs11Uri,
  { modulePath, token }: Pkcs11StoreInit,
  pin: PasswordKeeper,
): Promise<Pkcs11Certificate[]> {
  const opened = await openIdentityToken({ certificate, modulePath, token }, pin)
  try {
    return (await opened.certificates()).filter(
      (it) => (object === undefined || it.label === object) && (id === undefined || Buffer.from(id).equals(it.id)),
    )
  } finally {
    await opened.close()
  }
}

const stored = ({ der }: Pkcs11Certificate, uri: string): StoredCertificate => ({
  certificate: der,
  location: uri,
  uri,
})

/** What `aws_signing_helper` prints, in an order that stays, and of the token that the certificate is in. */
function uriOf(
  { model, manufacturer, serial, slotDescription, slotManufacturer }: TokenInfo,
  it: Pkcs11Certificate,
): Pkcs11Uri {
  const place = Object.entries({ model, manufacturer, serial, slotDescription, slotManufacturer, object: it.label })
  const names = Object.fromEntries(place.filter(([, value]) => value !== ''))
  return { ...names, type: 'cert', ...(it.id.length > 0 && { id: it.id }) }
}

function secretOf({ pinSource, pinValue }: Pkcs11Uri): Pkcs11Uri {
  return { ...(pinSource !== undefined && { pinSource }), ...(pinValue !== undefined && { pinValue }) }
}
