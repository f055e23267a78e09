import { createDecipheriv, pbkdf2, type ScryptOptions, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { DER, type DerElement, derAlgorithm, derSmall, derValue, readDer, readDerOne } from '../internal/der.ts'

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const SCRYPT = '1.3.6.1.4.1.11591.4.11'
/** RFC 8018, appendix B.1.2. */
const PRFS = new Map([
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.8', 'sha224'],
  ['1.2.840.113549.2.9', 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
  ['1.2.840.113549.2.12', 'sha512-224'],
  ['1.2.840.113549.2.13', 'sha512-256'],
])
/** RFC 8018, appendix B.2.5. */
const CIPHERS = new Map([
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', octets: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', octets: 24 }],
  ['2.16.840.1.101.3.4.1.42', { name: 'aes-256-cbc', octets: 32 }],
])
/** A minute of a slow machine; OpenSSL's default is 2,048. */
const MAX_ITERATIONS = 10_000_000
const MAX_SCRYPT_OCTETS = 512 * 1024 * 1024
/** N · r · p: half a minute. OpenSSL's default has 2¹⁷. */
const MAX_SCRYPT_WORK = 2 ** 26

/** What `derive` and the cipher are made of. */
interface Scheme {
  readonly cipher: { readonly name: string; readonly octets: number }
  readonly iv: Uint8Array
  readonly derive: (password: Uint8Array, octets: number) => Promise<Buffer>
}

/** Encrypted in a way that is not known here, or that would take too long. The message says in which. */
export class UnsupportedEncryption extends Error {}

/**
 * Decrypts an EncryptedPrivateKeyInfo that is protected by PBES2. OpenSSL would do it, but only for the keys that it knows.
 *
 * @returns PrivateKeyInfo in DER, to be wiped; undefined where the password is wrong: the padding tells (mostly).
 * @throws {UnsupportedEncryption}
 * @throws {SyntaxError} on what is no EncryptedPrivateKeyInfo.
 * @see {@link https://www.rfc-editor.org/rfc/rfc8018#section-6.2 RFC 8018, section 6.2}
 */
export async function decryptPkcs8(der: Uint8Array, password: Uint8Array): Promise<Buffer | undefined> {
  const [algorithm, encrypted, ...rest] = readDer(readDerOne(der, DER.sequence))
  if (rest.length > 0) throw new SyntaxError('not an EncryptedPrivateKeyInfo')
  const { cipher, iv, derive } = readScheme(algorithm)
  const data = derValue(encrypted, DER.octetString)
  const key = await derive(password, cipher.octets)
  const decipher = createDecipheriv(cipher.name, key, iv)
  key.fill(0)
  const start = decipher.update(data)
  try {
    return Buffer.concat([start, decipher.final()])
  } catch {
    return undefined
  } finally {
    start.fill(0)
  }
}

function readScheme(algorithm: DerElement | undefined): Scheme {
  const { oid, parameters } = derAlgorithm(algorithm)
  if (oid !== PBES2) throw new UnsupportedEncryption('it is not encrypted by PBES2')
  const [first, second] = readDer(derValue(parameters, DER.sequence))
  const kdf = derAlgorithm(first)
  const encryption = derAlgorithm(second)
  const cipher = CIPHERS.get(encryption.oid)
  if (cipher === undefined) throw new UnsupportedEncryption('its cipher is not AES in CBC mode')
  const iv = derValue(encryption.parameters, DER.octetString)
  if (iv.length !== 16) throw new SyntaxError('not an initialisation vector')
  const read = KDFS.get(kdf.oid)
  if (read === undefined) throw new UnsupportedEncryption('its key is derived neither by PBKDF2 nor by scrypt')
  return { cipher, iv, derive: read(readDer(derValue(kdf.parameters, DER.sequence))) }
}

/** RFC 8018, appendix A.2. The length of the key, where it is given, is that of the cipher. */
function readPbkdf2([first, count, ...rest]: readonly DerElement[]): Scheme['derive'] {
  const salt = derValue(first, DER.octetString)
  const iterations = derSmall(count)
  const named = rest.find(({ tag }) => tag === DER.sequence)
  const prf = named === undefined ? 'sha1' : PRFS.get(derAlgorithm(named).oid)
  if (prf === undefined) throw new UnsupportedEncryption('the hash of its PBKDF2 is not one of the SHA family')
  if (iterations < 1 || iterations > MAX_ITERATIONS) {
    throw new UnsupportedEncryption(`its PBKDF2 has ${iterations} iterations, and ${MAX_ITERATIONS} are the most`)
  }
  return (password, octets) => promisify(pbkdf2)(password, salt, iterations, octets, prf)
}

/** RFC 7914, section 7.1. */
function readScrypt([first, n, r, p]: readonly DerElement[]): Scheme['derive'] {
  const salt = derValue(first, DER.octetString)
  const [cost, blockSize, parallelization] = [derSmall(n), derSmall(r), derSmall(p)]
  const maxmem = 128 * blockSize * (cost + parallelization + 2)
  if (maxmem > MAX_SCRYPT_OCTETS) throw new UnsupportedEncryption('its scrypt takes more than 512 MiB')
  if (cost * blockSize * parallelization > MAX_SCRYPT_WORK) throw new UnsupportedEncryption('its scrypt takes too long')
  const options = { cost, blockSize, parallelization, maxmem }
  return (password, octets) => scryptAsync(password, salt, octets, options)
}

const KDFS: ReadonlyMap<string, (parameters: readonly DerElement[]) => Scheme['derive']> = new Map([
  [PBKDF2, readPbkdf2],
  [SCRYPT, readScrypt],
])

const scryptAsync = promisify<Uint8Array, Uint8Array, number, ScryptOptions, Buffer>(scrypt)
