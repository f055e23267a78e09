/** One element: tag octet, contents, and all of it as it lies there. What its readers throw says nothing of the octets. */
export interface DerElement {
  readonly tag: number
  readonly value: Uint8Array
  readonly raw: Uint8Array
}

export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const

/**
 * Reads the elements that fill these octets, one after another, without looking inside them. Definite lengths of the shortest form
 * and tags of one octet only, which is all that X.509 and PKCS have.
 *
 * @throws {SyntaxError} where it is not DER.
 * @see {@link https://www.itu.int/rec/T-REC-X.690 X.690, sections 8.1 and 10.1}
 */
export function readDer(octets: Uint8Array): DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < octets.length; ) {
    const element = elementAt(octets, at)
    elements.push(element)
    at += element.raw.length
  }
  return elements
}

/**
 * Reads octets that are one element with this tag, and nothing after it, and returns what is inside.
 *
 * @throws {SyntaxError} where they are not.
 */
export function readDerOne(octets: Uint8Array, tag: number): Uint8Array {
  const element = elementAt(octets, 0)
  if (element.raw.length !== octets.length) throw new SyntaxError('malformed DER: there is more after its end')
  return derValue(element, tag)
}

/**
 * The contents of an element that must have this tag.
 *
 * @throws {SyntaxError} where it is another, or not there.
 */
export function derValue(element: DerElement | undefined, tag: number): Uint8Array {
  if (element === undefined) throw new SyntaxError('malformed DER: an element is missing')
  if (element.tag !== tag) throw new SyntaxError(`malformed DER: tag ${element.tag} where ${tag} should be`)
  return element.value
}

/**
 * An OBJECT IDENTIFIER in dotted form. Arcs have 31 bits at most, as in Go's crypto/x509.
 *
 * @throws {SyntaxError} where it is none.
 */
export function derOid(value: Uint8Array): string {
  const arcs: number[] = []
  let arc = 0
  let fresh = true
  for (const octet of value) {
    if (fresh && octet === 0x80) throw new SyntaxError('malformed DER: an object identifier with a padded arc')
    arc = arc * 128 + (octet & 0x7f)
    if (arc > 0x7fff_ffff) throw new SyntaxError('malformed DER: an object identifier with an arc over 31 bits')
    fresh = octet < 0x80
    if (!fresh) continue
    arcs.push(arc)
    arc = 0
  }
  const [first] = arcs
  if (first === undefined || !fresh) throw new SyntaxError('malformed DER: an object identifier that is cut off')
  const root = Math.min(Math.floor(first / 40), 2) // X.690, section 8.19.4: two arcs share the first number
  return [root, first - root * 40, ...arcs.slice(1)].join('.')
}

/**
 * An INTEGER from 0 to 2³¹ - 1.
 *
 * @throws {SyntaxError} where it is another.
 */
export function derSmall(element: DerElement | undefined): number {
  const octets = derValue(element, DER.integer)
  if (octets.length === 0 || octets.length > 4 || (octets[0] ?? 0) >= 0x80) {
    throw new SyntaxError('malformed DER: a number that is negative or over 31 bits')
  }
  return octets.reduce((sum, octet) => sum * 256 + octet, 0)
}

/**
 * An AlgorithmIdentifier: its object identifier in dotted form, and its parameters, if there are any.
 *
 * @throws {SyntaxError} where it is none.
 * @see {@link https://www.rfc-editor.org/rfc/rfc5280#section-4.1.1.2 RFC 5280, section 4.1.1.2}
 */
export function derAlgorithm(element: DerElement | undefined): { oid: string; parameters: DerElement | undefined } {
  const [oid, parameters] = readDer(derValue(element, DER.sequence))
  return { oid: derOid(derValue(oid, DER.oid)), parameters }
}

function elementAt(octets: Uint8Array, at: number): DerElement {
  const tag = octets[at] ?? cutOff()
  if ((tag & 0x1f) === 0x1f) throw new SyntaxError('malformed DER: a tag of more than one octet')
  const [length, start] = lengthAt(octets, at + 1)
  const end = start + length
  if (end > octets.length) cutOff()
  return { tag, value: octets.subarray(start, end), raw: octets.subarray(at, end) }
}

/** The length, and where the contents begin. */
function lengthAt(octets: Uint8Array, at: number): [length: number, start: number] {
  const first = octets[at] ?? cutOff()
  if (first < 0x80) return [first, at + 1]
  const count = first & 0x7f
  if (count === 0 || count > 4) throw new SyntaxError('malformed DER: a length that is indefinite or over 4 octets')
  let length = 0
  for (let i = 1; i <= count; i++) length = length * 256 + (octets[at + i] ?? cutOff())
  if (length < 0x80 || length < 256 ** (count - 1)) throw new SyntaxError('malformed DER: a length that is padded')
  return [length, at + 1 + count]
}

function cutOff(): never {
  throw new SyntaxError('malformed DER: it is cut off')
}
