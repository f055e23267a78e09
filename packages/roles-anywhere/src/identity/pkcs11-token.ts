import type { Pkcs11Uri } from '@hardbound/pkcs11'
import type { OpenPkcs11SigningKeyInit, Pkcs11Certificate, Pkcs11SigningKey } from '@hardbound/pkcs11/signing-key'
import { fromDevice } from './device-errors.ts'
import type { PasswordKeeper } from './password.ts'
import { type Pkcs11Names, pkcs11Names } from './pkcs11-uris.ts'

/** What names a key in its token. */
export type KeyNames = Pick<Pkcs11Uri, 'object' | 'id'>

/** A private key of a token. */
export interface TokenKey extends KeyNames {
  /** Its public key is in the token: as its own attributes, or as an object or certificate with its CKA_ID. */
  readonly known: boolean
}

/** The token that an identity is in. */
export interface IdentityToken {
  readonly names: Pkcs11Names
  /** All that are there. */
  certificates(): Promise<readonly Pkcs11Certificate[]>
  /** The private keys that fit, 16 at most. */
  privateKeys(search: KeyNames): Promise<readonly TokenKey[]>
  /** @param certificate The key's own (DER), where it is known; others beside the key are not looked for then. */
  openKey(key: TokenKey, certificate?: Uint8Array): Promise<Pkcs11SigningKey>
  close(): Promise<void>
}

/** Which token, and how to use it. */
export interface IdentityTokenInit {
  readonly certificate?: string | undefined
  readonly privateKey?: string | undefined
  readonly modulePath?: string | undefined
  readonly token?: Omit<OpenPkcs11SigningKeyInit, 'uri' | 'pin'> | undefined
}

const MAX_KEYS = 16
/** PKCS #11 v2.40, section 4.4, 4.9 and 2.1.3. */
const [CKA_LABEL, CKA_ID, CKA_MODULUS] = [0x3, 0x102, 0x120]

/** Opens the token. The PIN is that of a URI, else the one that was given, or is asked for. */
export async function openIdentityToken(init: IdentityTokenInit, pin: PasswordKeeper): Promise<IdentityToken> {
  const [pkcs11, { openPkcs11SigningKey, readCertificates }] = await Promise.all([
    import('@hardbound/pkcs11'),
    import('@hardbound/pkcs11/signing-key'),
  ])
  const names = pkcs11Names(init, pkcs11.parsePkcs11Uri)
  const openWith = async (text: string | undefined): Promise<IdentityToken> => {
    const common = { ...init.token, pin: text }
    const token = await pkcs11.openToken({ ...common, uri: names.token })
    const lent = <T>(work: Parameters<typeof token.withSession<T>>[0]) =>
      fromDevice('PKCS #11', () => token.withSession<T>(work, { repeat: true }))
    return {
      names,
      certificates: () => lent((session) => readCertificates(session)),
      privateKeys: ({ object, id }) =>
        lent((session) => {
          const found = pkcs11.findObjects(session, { object, id, type: 'private' }).slice(0, MAX_KEYS)
          return found.map((key) => {
            const names = {
              ...named(pkcs11.attribute(session, key, CKA_LABEL)),
              ...identified(pkcs11.attribute(session, key, CKA_ID)),
            }
            const beside = ({ id }: KeyNames) =>
              id !== undefined &&
              (pkcs11.findObjects(session, { id, type: 'public' }).length > 0 ||
                readCertificates(session, { id }).length > 0)
            return { ...names, known: (pkcs11.attribute(session, key, CKA_MODULUS) ?? '').length > 0 || beside(names) }
          })
        }),
      openKey: ({ known: _, ...key }, certificate) =>
        fromDevice('PKCS #11', () =>
          openPkcs11SigningKey({ ...common, certificate, uri: { ...names.token, ...key, type: 'private' } }),
        ),
      close: () => token.close(),
    }
  }
  return fromDevice('PKCS #11', () => {
    const isInUri = names.token.pinValue !== undefined || names.token.pinSource !== undefined
    if (isInUri ? !pin.given : !pin.given && !pin.asks) return openWith(undefined)
    return pin.use('the token', (it) => openWith(Buffer.from(it).toString()))
  })
}

const named = (label: Buffer | undefined): KeyNames => (label?.length ? { object: label.toString('utf8') } : {})
const identified = (id: Buffer | undefined): KeyNames => (id?.length ? { id } : {})
