import { createHash, createHmac, randomBytes } from 'node:crypto'
import { ALG, HASHES, type HashAlgorithm } from './algorithms.ts'
import { kdfa } from './internal/kdf.ts'
import { concat, EMPTY, sized, u16, wipe } from './internal/octets.ts'
import { aesCfb } from './internal/parameter-encryption.ts'
import { exchangeSecret } from './internal/secret-exchange.ts'
import type { KeyedHashPublicArea, ObjectAttribute, PublicArea } from './public-area.ts'
import { nameOf } from './public-codec.ts'

/** What an HMAC key is to be. */
export interface HmacKeyTemplateInit {
  /** Of the HMAC. Default: `sha256`. */
  readonly hash?: HashAlgorithm
  /** Default: `sha256`. */
  readonly nameAlg?: HashAlgorithm
  readonly attributes: readonly ObjectAttribute[]
  /** Default: none. */
  readonly authPolicy?: Uint8Array
}

/** Template of an HMAC key, for `create` and {@link wrapHmacKey}. */
export function hmacKeyTemplate(init: HmacKeyTemplateInit): KeyedHashPublicArea {
  return {
    type: 'keyedhash',
    nameAlg: init.nameAlg ?? 'sha256',
    attributes: init.attributes,
    authPolicy: init.authPolicy ?? EMPTY,
    scheme: { scheme: 'hmac', hash: init.hash ?? 'sha256' },
    unique: EMPTY,
  }
}

/** An HMAC key on its way into a TPM. */
export interface WrapHmacKeyInit {
  /** Public area of the parent it is for: a storage or endorsement key. Make sure that it is the right one. */
  readonly parent: PublicArea
  /** Attributes must not have `fixedTPM`, `fixedParent` or `sensitiveDataOrigin`. */
  readonly template: KeyedHashPublicArea
  /** Key of the HMAC, at most as long as a block of its hash: 64 octets for SHA-256. */
  readonly key: Uint8Array
  /** To be asked for whenever the key is used. Default: empty. */
  readonly userAuth?: Uint8Array
  /** Adds the inner wrapper, whose key must reach the importer in another way. Default: `false`. */
  readonly innerWrapper?: boolean
}

/** What `importKey` takes. */
export interface WrappedForImport {
  readonly public: KeyedHashPublicArea
  /** TPM2B_PRIVATE, size field included. */
  readonly duplicate: Uint8Array
  /** TPM2B_ENCRYPTED_SECRET, size field included. */
  readonly seed: Uint8Array
  /** Key of the inner wrapper, where there is one. Secret. */
  readonly encryptionKey?: Uint8Array
}

/**
 * Wraps an HMAC key so that only the TPM that has the parent can import it. Needs no TPM.
 *
 * @throws {TypeError} on a template or a parent that can't be.
 * @throws {RangeError} on a key that is empty or longer than a block.
 * @throws {Tpm2Error} `ERR_TPM_UNTRUSTED` when the parent's key is not a valid one.
 * @see TPM 2.0 Part 1 §23.3, Protected Storage Hierarchy: duplication
 */
export function wrapHmacKey(init: WrapHmacKeyInit): WrappedForImport {
  const { template, parent } = init
  assertWrappable(init)
  const { nameAlg } = template
  const obfuscation = new Uint8Array(randomBytes(HASHES[nameAlg].size))
  const unique = new Uint8Array(createHash(nameAlg).update(obfuscation).update(init.key).digest())
  const area = { ...template, unique }
  const name = nameOf(area)

  const parts = [sized(init.userAuth ?? EMPTY), sized(obfuscation), sized(init.key)]
  const content = concat(u16(ALG.keyedhash), ...parts)
  const sensitive = sized(content)
  const inner = init.innerWrapper === true ? wrapInside(nameAlg, name, sensitive) : undefined
  const outer = wrapOutside(parent, name, inner?.wrapped ?? sensitive)
  wipe(obfuscation, content, sensitive, ...parts)
  return { public: area, ...outer, ...(inner === undefined ? {} : { encryptionKey: inner.key }) }
}

const NO_IV = new Uint8Array(16)

/** §23.3.2.2: integrity digest, then encryption under a key that goes another way. */
function wrapInside(
  nameAlg: HashAlgorithm,
  name: Uint8Array,
  sensitive: Uint8Array,
): { wrapped: Uint8Array; key: Uint8Array } {
  const integrity = createHash(nameAlg).update(sensitive).update(name).digest()
  const plain = concat(sized(integrity), sensitive)
  const key = new Uint8Array(randomBytes(16))
  const wrapped = aesCfb(key, NO_IV, plain, 'encrypt')
  wipe(plain)
  return { wrapped, key }
}

/** §23.3.2.3: encryption and HMAC under keys from a seed that only the new parent can decrypt. */
function wrapOutside(
  parent: PublicArea,
  name: Uint8Array,
  inner: Uint8Array,
): { duplicate: Uint8Array; seed: Uint8Array } {
  const { secret: seed, encrypted } = exchangeSecret(parent, 'DUPLICATE')
  const storageKey = kdfa(parent.nameAlg, seed, 'STORAGE', name, EMPTY, parentKeyBits(parent))
  const hmacKey = kdfa(parent.nameAlg, seed, 'INTEGRITY', EMPTY, EMPTY, HASHES[parent.nameAlg].size * 8)
  const dupSensitive = aesCfb(storageKey, NO_IV, inner, 'encrypt')
  const outerHmac = createHmac(parent.nameAlg, hmacKey).update(dupSensitive).update(name).digest()
  wipe(seed, storageKey, hmacKey)
  return { duplicate: sized(concat(sized(outerHmac), dupSensitive)), seed: sized(encrypted) }
}

function parentKeyBits(parent: PublicArea): number {
  const symmetric = parent.type === 'keyedhash' ? undefined : parent.symmetric
  if (symmetric?.algorithm !== 'aes' || symmetric.mode !== 'cfb') {
    throw new TypeError('the parent must protect its children with AES in CFB mode')
  }
  return symmetric.keyBits
}

const BLOCK_OCTETS: Readonly<Record<HashAlgorithm, number>> = { sha1: 64, sha256: 64, sha384: 128, sha512: 128 }

function assertWrappable({ parent, template, key, userAuth }: WrapHmacKeyInit): void {
  parentKeyBits(parent)
  for (const attribute of ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin'] as const) {
    if (template.attributes.includes(attribute)) throw new TypeError(`an imported key can't have "${attribute}"`)
  }
  if (!parent.attributes.includes('restricted')) throw new TypeError('the parent must be a storage key: "restricted"')
  if (template.scheme?.scheme !== 'hmac') throw new TypeError('the template must be of an HMAC key')
  const block = BLOCK_OCTETS[template.scheme.hash]
  if (key.length === 0 || key.length > block) throw new RangeError(`"key" must have 1 to ${block} octets`)
  if ((userAuth?.length ?? 0) > HASHES[template.nameAlg].size) {
    throw new RangeError(`"userAuth" must have at most ${HASHES[template.nameAlg].size} octets`)
  }
}
