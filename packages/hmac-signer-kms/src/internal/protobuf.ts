/** One field of a message: a number for a varint, octets for everything with a length. */
export interface ProtoField {
  readonly number: number
  readonly value: number | Uint8Array
}

const MAX_FIELDS = 1000

/**
 * Reads the fields of a protobuf message, in their order: varints up to 2^53 and length-delimited fields, which is all that
 * Tink's keys are made of.
 *
 * @returns Views into `octets`; `undefined` on anything malformed.
 * @see {@link https://protobuf.dev/programming-guides/encoding/}
 */
export function readProto(octets: Uint8Array): ProtoField[] | undefined {
  const fields: ProtoField[] = []
  let at = 0
  const varint = (): number | undefined => {
    let value = 0
    for (let shift = 0; shift < 10; shift++) {
      const octet = octets[at++]
      if (octet === undefined) return undefined
      value += (octet & 0x7f) * 2 ** (7 * shift)
      if (octet < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : undefined
    }
    return undefined
  }
  while (at < octets.length) {
    const tag = varint()
    if (tag === undefined || fields.length >= MAX_FIELDS) return undefined
    const [number, wireType] = [Math.floor(tag / 8), tag % 8]
    if (number === 0) return undefined
    const value = wireType === 0 || wireType === 2 ? varint() : undefined
    if (value === undefined) return undefined
    if (wireType === 0) {
      fields.push({ number, value })
      continue
    }
    if (value > octets.length - at) return undefined
    fields.push({ number, value: octets.subarray(at, at + value) })
    at += value
  }
  return fields
}

/** Kind of each field that a message may have. Where a field comes again, the last one counts, but for `repeated`. */
export type ProtoShape = Readonly<Record<number, 'varint' | 'octets' | 'repeated'>>

/** A message's fields by number; absent ones are left out. */
export interface ProtoMessage {
  varint(number: number): number
  octets(number: number): Uint8Array
  repeated(number: number): Uint8Array[]
}

/** As {@link readProto}, for one message type. @returns `undefined` also on unknown fields and on fields of another kind. */
export function readMessage(octets: Uint8Array, shape: ProtoShape): ProtoMessage | undefined {
  const fields = readProto(octets)
  const isKnown = ({ number, value }: ProtoField): boolean =>
    shape[number] !== undefined && (shape[number] === 'varint') === (typeof value === 'number')
  if (fields?.every(isKnown) !== true) return undefined
  const all = (number: number) => fields.filter((field) => field.number === number).map(({ value }) => value)
  const last = (number: number) => all(number).at(-1)
  return {
    varint: (number) => (last(number) as number | undefined) ?? 0,
    octets: (number) => (last(number) as Uint8Array | undefined) ?? new Uint8Array(),
    repeated: (number) => all(number) as Uint8Array[],
  }
}
