/**
 * `SEQUENCE { r, s }` of two numbers of the same length, as short as they can be.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc3279#section-2.2.3 RFC 3279, section 2.2.3}
 */
export function ecdsaDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2
  const body = Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))])
  return Buffer.concat([Buffer.from(body.length < 0x80 ? [0x30, body.length] : [0x30, 0x81, body.length]), body])
}

function integer(octets: Uint8Array): Buffer {
  const start = octets.findIndex((octet) => octet !== 0)
  const digits = start === -1 ? octets.subarray(-1) : octets.subarray(start)
  const signed = (digits[0] ?? 0) >= 0x80 ? Buffer.from([0, ...digits]) : Buffer.from(digits)
  return Buffer.from([0x02, signed.length, ...signed])
}
