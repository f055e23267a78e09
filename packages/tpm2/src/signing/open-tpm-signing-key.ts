import { createHash, type KeyObject } from 'node:crypto'
import { sign } from '../commands/sign.ts'
import { Tpm2Error } from '../errors.ts'
import { type OpenTpmKeyInit, openTpmKey } from '../keys/open-tpm-key.ts'
import { type KeyUse, withKey } from '../keys/with-key.ts'
import { nameOf } from '../public-codec.ts'
import type { Tpm } from '../tpm.ts'
import { assertSignature } from './assert-signature.ts'
import { ecdsaDer } from './ecdsa-der.ts'
import { publicKeyOf } from './public-key.ts'
import { assertScheme, assertSigningKey, fixedScheme, type SigningArea, schemeError, TPM_SCHEMES } from './schemes.ts'
import type { SignatureScheme, SigningKey } from './signing-key.ts'

/** Which key, in which TPM. */
export interface OpenTpmSigningKeyInit extends OpenTpmKeyInit {}

/** A signing key in a TPM. Errors of `sign` are `Tpm2Error`; a scheme or hash that there isn't is a `TypeError`. */
export interface TpmSigningKey extends SigningKey {
  readonly name: 'tpm'
}

/** What is signed at open, to know that the key can be used. No JWT, certificate or request starts so. */
const LABEL = new TextEncoder().encode('hardbound/signing-key/v1')

/**
 * Opens an RSA or ECC key in a TPM: checks what it is, and that it may be used, by one signature of a fixed text; and that it is the same
 * key, whenever the connection to the TPM is a new one. Holds no slot of the TPM between calls. After a wrong password, a changed PCR,
 * another key or another TPM it does not touch the TPM again.
 *
 * @throws {Tpm2Error} `ERR_TPM_KEY` where it is not one that signs what it is given, and all that {@link SigningKey.sign} can throw.
 * @throws {TypeError} or {RangeError} on options that can't be right.
 */
export async function openTpmSigningKey(init: OpenTpmSigningKeyInit): Promise<TpmSigningKey> {
  let opened: { readonly area: SigningArea; readonly publicKey: KeyObject } | undefined
  const key = await openTpmKey(init, {
    accept: (area) => assertSigningKey(area),
    async recognize(tpm, use) {
      const area = use.key.public
      assertSigningKey(area)
      if (opened === undefined) {
        const found = { area, publicKey: publicKeyOf(area) }
        const scheme = fixedScheme(area) ?? ({ scheme: area.type === 'rsa' ? RSA : 'ecdsa', hash: 'sha256' } as const)
        assertSignature(found.publicKey, LABEL, scheme, await signWith(tpm, use, LABEL, scheme))
        opened = found
      } else if (!Buffer.from(nameOf(area)).equals(nameOf(opened.area))) {
        throw new Tpm2Error('ERR_TPM_KEY_CHANGED', 'another key is there than the one that was opened')
      }
    },
  })
  if (opened === undefined) throw new Error('open without a key') // openTpmKey asks before it returns
  const { area, publicKey } = opened
  return {
    name: 'tpm',
    publicKey,
    async sign(message, scheme, options) {
      if (!(message instanceof Uint8Array)) throw new TypeError('"message" must be octets')
      assertScheme(area, scheme)
      const [copy, how] = [new Uint8Array(message), { ...scheme }]
      const signature = await key.use((tpm, use) => signWith(tpm, use, copy, how), options?.signal)
      assertSignature(publicKey, copy, how, signature)
      return signature
    },
    close: () => key.close(),
  }
}

const RSA = 'rsassa-pkcs1-v1_5'

async function signWith(tpm: Tpm, use: KeyUse, message: Uint8Array, how: SignatureScheme): Promise<Uint8Array> {
  const { hash } = how
  const scheme = TPM_SCHEMES[how.scheme]
  const digest = createHash(hash).update(message).digest()
  const signature = await withKey(tpm, use, (ready) =>
    sign(tpm, { ...ready, digest, scheme, hash }).catch(explain(how)),
  )
  return scheme === 'ecdsa' ? ecdsaDer(signature) : signature
}

/** TPM_RC_HASH, TPM_RC_SCHEME (Part 2 §6.6), of a parameter: the key was looked at, so it is the TPM that does not have them. */
const explain =
  ({ scheme, hash }: SignatureScheme) =>
  (cause: unknown): never => {
    const isScheme = cause instanceof Tpm2Error && cause.rc !== undefined && [0xc3, 0xd2].includes(cause.rc & 0xff)
    throw isScheme ? schemeError(`this TPM does not sign by ${scheme} with ${hash}`, { cause }) : cause
  }
