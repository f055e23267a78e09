/** One element of DER (X.690), with its header and without. */
export interface Der {
  readonly tag: number
  readonly content: Buffer
  /** Header and content. */
  readonly raw: Buffer
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

/**
 * Reads all elements that stand side by side in `octets`: definite, shortest lengths, and tags of one octet.
 *
 * @throws {SyntaxError} on everything else.
 */
export function readDer(octets: Buffer): Der[] {
  const found: Der[] = []
  for (let at = 0; at < octets.length; ) {
    const tag = octets.readUInt8(at)
    if ((tag & 0x1f) === 0x1f) throw new SyntaxError('DER: a tag of several octets')
    const { length, start } = readLength(octets, at + 1)
    const end = start + length
    if (end > octets.length) throw new SyntaxError('DER: an element longer than what holds it')
    found.push({ tag, content: octets.subarray(start, end), raw: octets.subarray(at, end) })
    at = end
  }
  return found
}

/** Elements of a constructed one. */
export const childrenOf = (der: Der | undefined, tag: number = TAG.sequence): Der[] => readDer(contentOf(der, tag))

/** Content of an element that has to be there, with this tag. */
export function contentOf(der: Der | undefined, tag: number): Buffer {
  if (der?.tag !== tag) throw new SyntaxError(`DER: no element with tag ${tag} where one has to be`)
  return der.content
}

/** Octets of a BIT STRING of whole octets. */
export function bitsOf(der: Der | undefined): Buffer {
  const content = contentOf(der, TAG.bitString)
  if (content[0] !== 0) throw new SyntaxError('DER: a BIT STRING with unused bits')
  return content.subarray(1)
}

/** `1.2.840.113549.1.1.11` */
export function oidOf(der: Der | undefined): string {
  const arcs: number[] = []
  let arc = 0
  for (const octet of contentOf(der, TAG.oid)) {
    arc = arc * 128 + (octet & 0x7f)
    if (octet >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const [head = 0, ...rest] = arcs
  const top = Math.min(2, Math.floor(head / 40))
  return [top, head - top * 40, ...rest].join('.')
}

/** Milliseconds since 1970 of a UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 has them: seconds, and Z. */
export function timeOf(der: Der | undefined): number {
  const text = der?.content.toString('latin1') ?? ''
  const full = der?.tag === TAG.utcTime ? (Number(text.slice(0, 2)) < 50 ? '20' : '19') + text : text
  const isTime = der?.tag === TAG.utcTime || der?.tag === TAG.generalizedTime
  const time = Date.parse(full.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!isTime || Number.isNaN(time)) throw new SyntaxError('DER: a time that is none')
  return time
}

function readLength(octets: Buffer, at: number): { length: number; start: number } {
  const first = octets[at]
  if (first === undefined) throw new SyntaxError('DER: an element without a length')
  if (first < 0x80) return { length: first, start: at + 1 }
  const size = first & 0x7f
  if (size === 0 || size > 3 || at + 1 + size > octets.length) throw new SyntaxError('DER: a length of a strange form')
  const length = octets.readUIntBE(at + 1, size)
  if (length < 0x80 || length < 256 ** (size - 1)) throw new SyntaxError('DER: a length that is not the shortest')
  return { length, start: at + 1 + size }
}
