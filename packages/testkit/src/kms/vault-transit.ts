import {
  constants,
  createDecipheriv,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  randomBytes,
} from 'node:crypto'
import { fromBase64, type JsonObject, KmsRefusal } from './json.ts'

/** Octets of an RSA-4096 ciphertext, which stand before the wrapped key. */
const RSA_OCTETS = 512
const ALGORITHMS: Readonly<Record<string, string>> = {
  'sha2-256': 'sha256',
  'sha2-384': 'sha384',
  'sha2-512': 'sha512',
}

/** Keys of RSA-4096 take seconds to make. Those of closed emulators wait here; two living emulators never share one. */
const idle: WrappingKey[] = []

interface WrappingKey {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** Keys of the transit engine, by namespace, mount and name. */
export interface VaultTransit {
  addMount(path: string): void
  hasMount: (path: string) => boolean
  /** Puts in an HMAC key as version 1. */
  addKey(mount: string, name: string, key: Uint8Array): void
  /** A new version, random as Vault makes it. */
  rotate(mount: string, name: string): void
  setMinEncryptionVersion(mount: string, name: string, version: number): void
  names(mount: string): string[]
  /** What stands after the mount: `hmac/<name>/sha2-256`, `wrapping_key`, `keys/<name>/import`. @throws {KmsRefusal} */
  answer: (mount: string, path: string, method: string, input: JsonObject) => object | undefined
  /** Hands its wrapping key to whoever starts next. */
  close: () => void
}

interface Key {
  readonly versions: Uint8Array[]
  minEncryptionVersion: number
}

export function createVaultTransit(): VaultTransit {
  const mounts = new Map<string, Map<string, Key>>([['transit', new Map()]])
  let wrapping: WrappingKey | undefined
  const keysOf = (mount: string): Map<string, Key> => mounts.get(mount)!
  const keyOf = (mount: string, name: string): Key => keysOf(mount).get(name)!
  const wrappingKey = () => {
    wrapping ??= idle.pop() ?? generateKeyPairSync('rsa', { modulusLength: 4096 })
    return wrapping
  }
  return {
    addMount: (path) => void mounts.set(path, new Map()),
    hasMount: (path) => mounts.has(path),
    addKey: (mount, name, key) =>
      void keysOf(mount).set(name, { versions: [Uint8Array.from(key)], minEncryptionVersion: 0 }),
    rotate: (mount, name) => void keyOf(mount, name).versions.push(randomBytes(32)),
    setMinEncryptionVersion(mount, name, version) {
      keyOf(mount, name).minEncryptionVersion = version
    },
    names: (mount) => [...keysOf(mount).keys()],
    answer(mount, path, method, input) {
      const keys = keysOf(mount)
      const [, hmacName, urlAlgorithm] = /^hmac\/([\w.-]+)(?:\/([\w-]+))?$/.exec(path) ?? []
      if (hmacName !== undefined && isWrite(method)) return hmac(keys.get(hmacName), urlAlgorithm, input)
      if (path === 'wrapping_key' && method === 'GET') {
        return { public_key: wrappingKey().publicKey.export({ type: 'spki', format: 'pem' }) }
      }
      const [, importName] = /^keys\/([\w.-]+)\/import$/.exec(path) ?? []
      if (importName !== undefined && isWrite(method)) {
        if (keys.has(importName)) throw refusal(500, 'the import path cannot be used with an existing key')
        const key = importedKey(input, wrappingKey().privateKey)
        keys.set(importName, { versions: [key], minEncryptionVersion: 0 })
        return undefined
      }
      throw refusal(404, `no handler for route "${path}"`)
    },
    close() {
      if (wrapping !== undefined) idle.push(wrapping)
      wrapping = undefined
    },
  }
}

function hmac(key: Key | undefined, urlAlgorithm: string | undefined, input: JsonObject): object {
  if (key === undefined) throw refusal(400, 'encryption key not found')
  const { algorithm: name = 'sha2-256' } = input
  const algorithm = ALGORITHMS[urlAlgorithm ?? (typeof name === 'string' ? name : '')]
  if (algorithm === undefined) throw refusal(400, 'unsupported algorithm')
  const { key_version: wanted = 0 } = input
  if (!Number.isInteger(wanted)) throw refusal(400, 'error converting input for field "key_version"')
  const version = wanted === 0 ? key.versions.length : (wanted as number)
  if (version !== key.versions.length && version < key.minEncryptionVersion) {
    throw refusal(400, 'cannot generate HMAC: version is too old (disallowed by policy)')
  }
  const value = key.versions[version - 1]
  if (value === undefined) throw refusal(400, 'key version does not exist')
  const message = fromBase64(input.input)
  if (message === undefined) throw refusal(400, 'unable to decode input as base64')
  return { hmac: `vault:v${version}:${createHmac(algorithm, value).update(message).digest('base64')}` }
}

/** RSA-OAEP around an AES-256 key, which wraps the key to import (RFC 5649). */
function importedKey(input: JsonObject, privateKey: KeyObject): Buffer {
  if (input.type !== 'hmac') throw refusal(400, 'the emulator imports HMAC keys only')
  if ((input.hash_function ?? 'SHA256') !== 'SHA256') throw refusal(400, 'unknown hash function')
  const ciphertext = fromBase64(input.ciphertext)
  if (ciphertext === undefined || ciphertext.length <= RSA_OCTETS)
    throw refusal(500, 'provided ciphertext is too short')
  const key = unwrapImported(ciphertext, privateKey)
  if (key === undefined) throw refusal(500, 'crypto/rsa: decryption error')
  if (key.length < 32 || key.length > 512) throw refusal(400, `invalid key size ${key.length} bytes for key type hmac`)
  return key
}

function unwrapImported(ciphertext: Buffer, privateKey: KeyObject): Buffer | undefined {
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const kek = privateDecrypt({ key: privateKey, padding, oaepHash: 'sha256' }, ciphertext.subarray(0, RSA_OCTETS))
    const unwrap = createDecipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
    return Buffer.concat([unwrap.update(ciphertext.subarray(RSA_OCTETS)), unwrap.final()])
  } catch {
    return undefined
  }
}

const isWrite = (method: string): boolean => method === 'POST' || method === 'PUT'
const refusal = (status: number, message: string): KmsRefusal => new KmsRefusal(status, '', message)
