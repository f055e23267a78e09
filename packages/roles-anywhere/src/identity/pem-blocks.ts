/** A block of a PEM file. */
export interface PemBlock {
  /** What stands after BEGIN: `CERTIFICATE`. */
  readonly label: string
  readonly der: Buffer
  /** It has headers as of RFC 1421, so it is encrypted in OpenSSL's old way. */
  readonly headers: boolean
}

const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,64})-----\s*$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * Reads the blocks of a PEM file. Text between them is left alone.
 *
 * @throws {SyntaxError} where a block has no end, or is not base64; the message has nothing of it.
 * @see {@link https://www.rfc-editor.org/rfc/rfc7468#section-2 RFC 7468, section 2}
 */
export function readPemBlocks(octets: Uint8Array): PemBlock[] {
  const blocks: PemBlock[] = []
  let open: { label: string; body: string[]; headers: boolean } | undefined
  for (const line of Buffer.from(octets.buffer, octets.byteOffset, octets.length)
    .toString('latin1')
    .split(/\r?\n|\r/)) {
    if (open === undefined) {
      const label = BEGIN.exec(line)?.[1]
      if (label !== undefined) open = { label, body: [], headers: false }
    } else if (line.trimEnd() === `-----END ${open.label}-----`) {
      blocks.push({ label: open.label, der: decode(open.body.join(''), open), headers: open.headers })
      open = undefined
    } else if (line.includes(':')) open.headers = true
    else open.body.push(line.trim())
  }
  if (open !== undefined) throw new SyntaxError(`its ${open.label} block has no end`)
  return blocks
}

function decode(text: string, { label, headers }: { label: string; headers: boolean }): Buffer {
  const der = Buffer.from(text, 'base64')
  if (!headers && (!BASE64.test(text) || text.length % 4 !== 0 || der.length === 0)) {
    throw new SyntaxError(`its ${label} block is not base64`)
  }
  return der
}
