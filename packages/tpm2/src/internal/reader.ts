import { type HashAlgorithm, hashById } from '../algorithms.ts'
import { Tpm2Error } from '../errors.ts'

/** Reads big-endian structures of Part 2, and refuses whatever is not exactly one. All octets it returns are copies. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #what: string
  #at = 0

  /** @param what What is read, for messages: `TPM2_HMAC`. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#what = what
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#skip(2))
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4))
  }

  bytes(length: number): Uint8Array {
    const start = this.#skip(length)
    return Uint8Array.from(this.#bytes.subarray(start, start + length)) // slice() of a Buffer copies nothing
  }

  /** TPM2B: a 16-bit size, and that many octets. */
  sized(max = 0xffff): Uint8Array {
    const size = this.u16()
    if (size > max) throw this.malformed(`a field of ${size} octets, at most ${max} expected`)
    return this.bytes(size)
  }

  /** A TPM2B with a structure in it, which must fill it. */
  sizedStructure<T>(read: (reader: Reader) => T): T {
    const inner = new Reader(this.sized(), this.#what)
    const value = read(inner)
    inner.end()
    return value
  }

  /** The 32-bit count of a list; an attacker's list is refused before it is walked. */
  count(max: number): number {
    const count = this.u32()
    if (count > max) throw this.malformed(`a list of ${count}, at most ${max} expected`)
    return count
  }

  hash(): HashAlgorithm {
    const id = this.u16()
    const hash = hashById(id)
    if (hash === undefined) throw this.malformed(`hash algorithm 0x${id.toString(16)} is not known`)
    return hash
  }

  /** Nothing may be left. */
  end(): void {
    if (this.remaining !== 0) throw this.malformed(`${this.remaining} octets too many`)
  }

  malformed(why: string): Tpm2Error {
    return new Tpm2Error('ERR_TPM_RESPONSE', `${this.#what}: ${why}`)
  }

  #skip(length: number): number {
    if (length > this.remaining) throw this.malformed(`ends ${length - this.remaining} octets early`)
    const at = this.#at
    this.#at += length
    return at
  }
}
