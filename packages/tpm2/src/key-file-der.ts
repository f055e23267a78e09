import { Tpm2Error } from './errors.ts'

/** Identifier octets that a key file has. `CONTEXT + n` is `[n] EXPLICIT`. */
export const DER = { BOOLEAN: 1, INTEGER: 2, OCTETS: 4, OID: 6, UTF8: 12, SEQUENCE: 0x30, CONTEXT: 0xa0 } as const

/** Reads the DER elements of one value, front to back; anything that is not the next one is an error (X.690, 10 and 11). */
export class DerReader {
  #rest: Uint8Array

  constructor(octets: Uint8Array) {
    this.#rest = octets
  }

  get empty(): boolean {
    return this.#rest.length === 0
  }

  /** Contents of the next element, which has to have this tag. */
  read(tag: number): Uint8Array {
    const { header, length } = measure(this.#rest)
    if (this.#rest[0] !== tag) throw malformed(`tag ${hex(tag)} expected`)
    const contents = this.#rest.subarray(header, header + length)
    if (contents.length !== length) throw malformed('cut off')
    this.#rest = this.#rest.subarray(header + length)
    return contents
  }

  /** What is within `[tag] EXPLICIT`, where that is what comes next. */
  optional<T>(tag: number, content: (inner: DerReader) => T): T | undefined {
    return this.#rest[0] === DER.CONTEXT + tag ? this.explicit(tag, content) : undefined
  }

  explicit<T>(tag: number, content: (inner: DerReader) => T): T {
    return this.within(DER.CONTEXT + tag, content)
  }

  /** Reads an element's contents to their end. */
  within<T>(tag: number, content: (inner: DerReader) => T): T {
    const inner = new DerReader(this.read(tag))
    const value = content(inner)
    inner.end()
    return value
  }

  /** TPM_HANDLE or TPM_CC: an unsigned number of 32 bits. */
  uint32(): number {
    const octets = this.read(DER.INTEGER)
    const [first = 0x80, second = 0] = octets
    if (first >= 0x80 || (first === 0 && octets.length > 1 && second < 0x80)) throw malformed('INTEGER')
    const significant = first === 0 ? octets.subarray(1) : octets
    if (significant.length > 4) throw malformed('INTEGER of more than 32 bits')
    return significant.reduce((sum, octet) => sum * 256 + octet, 0)
  }

  /** TRUE is 255 in DER; tpm2-tools and OpenSSL's tpm2 provider write 1. */
  boolean(): boolean {
    const octets = this.read(DER.BOOLEAN)
    if (octets.length !== 1 || ![0, 1, 0xff].includes(octets[0] as number)) throw malformed('BOOLEAN')
    return octets[0] !== 0
  }

  utf8(): string {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.read(DER.UTF8))
    } catch {
      throw malformed('UTF8String')
    }
  }

  end(): void {
    if (!this.empty) throw malformed('something follows')
  }
}

/** Writes one element. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const contents = Buffer.concat(parts)
  const { length } = contents
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...size), contents])
}

/** An unsigned number of 32 bits as an INTEGER. */
export function derUint32(value: number): Uint8Array {
  const octets = Buffer.alloc(5)
  octets.writeUInt32BE(value, 1)
  let start = 0
  while (start < 4 && octets[start] === 0 && (octets[start + 1] as number) < 0x80) start += 1
  return der(DER.INTEGER, octets.subarray(start))
}

export const malformed = (why: string) => new Tpm2Error('ERR_TPM_KEY_FILE', `not a TSS2 PRIVATE KEY: ${why}`)

const hex = (octet: number) => `0x${octet.toString(16)}`

/** Definite lengths of up to two octets, in their shortest form. */
function measure([, first = 0x80, second = 0, third = 0]: Uint8Array): { header: number; length: number } {
  if (first < 0x80) return { header: 2, length: first }
  if (first === 0x81 && second >= 0x80) return { header: 3, length: second }
  if (first === 0x82 && second > 0) return { header: 4, length: second * 256 + third }
  throw malformed('length')
}
