import type { Pkcs11Uri } from '@hardbound/pkcs11'
import type { Pkcs11Certificate, Pkcs11SigningKey } from '@hardbound/pkcs11/signing-key'
import { RolesAnywhereError } from '../errors.ts'
import { deviceKey } from './device-key.ts'
import { readPublicKey, TEST_MESSAGE } from './make-identity.ts'
import type { IdentityToken, TokenKey } from './pkcs11-token.ts'
import { isSameKey, type PublicKey } from './public-key.ts'

/** A private key of a token, and the certificate to use with it. */
export interface FoundKey {
  readonly key: Pkcs11SigningKey
  /** DER */
  readonly leaf: Uint8Array
}

/**
 * Finds the private key of a certificate: of all that fit the URI the one with its public key. Without a certificate it is the one key
 * that fits, and the certificate beside it.
 *
 * @param given DER, where the certificate is not in the token.
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`, `ERR_RA_KEY`, `ERR_RA_MISMATCH`, `ERR_RA_CERTIFICATE`, and those of the device.
 */
export async function findKey(token: IdentityToken, given: Uint8Array | undefined): Promise<FoundKey> {
  const { certificate, privateKey } = token.names
  const all = await token.certificates()
  const inToken = given ? all.find(({ der }) => Buffer.from(der).equals(given)) : certificate && oneOf(all, certificate)
  const leaf = given ?? inToken?.der
  const candidates = privateKey || !inToken ? await ofUri(token) : await ofCertificate(token, inToken)
  if (candidates.length === 0) throw noneFits()
  if (leaf === undefined) return withCertificate(await onlyOne(token, candidates))
  const publicKey = readPublicKey({ from: given ? 'the file' : 'the token', value: leaf })
  return { key: await firstOf(token, candidates, { leaf, publicKey }), leaf }
}

function oneOf(all: readonly Pkcs11Certificate[], { object, id }: Pkcs11Uri): Pkcs11Certificate {
  const found = all.filter(
    (it) => (object === undefined || it.label === object) && (id === undefined || Buffer.from(id).equals(it.id)),
  )
  const [only, second] = found
  if (only === undefined) throw selectorError('no certificate in the token fits the URI')
  if (second === undefined) return only
  const names = found.map(({ label, id }) => `${JSON.stringify(label)} ${Buffer.from(id).toString('hex')}`).join(', ')
  throw selectorError(
    `${found.length} certificates in the token fit the URI (label and id: ${names}): name the id of one`,
  )
}

/** By its CKA_ID, as they should have it in common; else by its label. */
async function ofCertificate(token: IdentityToken, { label, id }: Pkcs11Certificate): Promise<readonly TokenKey[]> {
  const byId = id.length === 0 ? [] : await token.privateKeys({ id })
  return byId.length > 0 || label === '' ? byId : token.privateKeys({ object: label })
}

/**
 * Opens the one private key that fits the URI.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`, `ERR_RA_KEY`, and those of the device.
 */
export async function findPrivateKey(token: IdentityToken): Promise<Pkcs11SigningKey> {
  return onlyOne(token, await ofUri(token))
}

const ofUri = (token: IdentityToken): Promise<readonly TokenKey[]> => token.privateKeys(token.names.privateKey ?? {})

async function onlyOne(token: IdentityToken, [only, second]: readonly TokenKey[]): Promise<Pkcs11SigningKey> {
  if (only === undefined) throw noneFits()
  if (second === undefined) return token.openKey(only)
  throw selectorError('several private keys in the token fit the URI: name the id of one, or its certificate')
}

async function withCertificate(key: Pkcs11SigningKey): Promise<FoundKey> {
  if (key.certificate !== undefined) return { key, leaf: key.certificate }
  await key.close()
  throw new RolesAnywhereError('ERR_RA_CERTIFICATE', 'no certificate lies beside the private key in the token: name it')
}

/** Keys that can't be used are passed over, as another one may be meant. */
async function firstOf(
  token: IdentityToken,
  candidates: readonly TokenKey[],
  wanted: { readonly leaf: Uint8Array; readonly publicKey: PublicKey },
): Promise<Pkcs11SigningKey> {
  let unusable: RolesAnywhereError | undefined
  for (const candidate of candidates) {
    try {
      const key = await token.openKey(candidate, wanted.leaf)
      if (
        isSameKey(deviceKey('PKCS #11', key).publicKey, wanted.publicKey) &&
        (candidate.known || (await signs(key)))
      ) {
        return key
      }
      await key.close()
    } catch (error) {
      if (!isKeyError(error)) throw error
      if (!(await opens(token, candidate))) unusable ??= error
    }
  }
  if (unusable !== undefined) throw unusable
  throw new RolesAnywhereError(
    'ERR_RA_MISMATCH',
    'no private key in the token that fits its URI is that of the certificate',
  )
}

/** Of a key whose public key is nowhere in the token: that it signs for the certificate is all that tells whether it is the one. */
async function signs(key: Pkcs11SigningKey): Promise<boolean> {
  try {
    await deviceKey('PKCS #11', key).sign(TEST_MESSAGE, 'sha256')
    return true
  } catch (error) {
    await key.close()
    if (isKeyError(error)) return false
    throw error
  }
}

/** Without the certificate: then nothing is wrong with the key but that it is another one. */
async function opens(token: IdentityToken, candidate: TokenKey): Promise<boolean> {
  try {
    const key = await token.openKey(candidate)
    await key.close()
    return true
  } catch (error) {
    if (isKeyError(error)) return false
    throw error
  }
}

const isKeyError = (error: unknown): error is RolesAnywhereError =>
  error instanceof RolesAnywhereError && error.code === 'ERR_RA_KEY'

const noneFits = (): RolesAnywhereError =>
  new RolesAnywhereError('ERR_RA_KEY', 'no private key in the token fits its URI')
const selectorError = (why: string): RolesAnywhereError => new RolesAnywhereError('ERR_RA_SELECTOR', why)
