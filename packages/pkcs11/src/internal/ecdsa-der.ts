/**
 * ECDSA-Sig-Value in DER.
 *
 * @param raw r and s, each as long as the order: what CKM_ECDSA gives. At most 2 × 66 octets.
 * @see {@link https://www.rfc-editor.org/rfc/rfc3279#section-2.2.3 RFC 3279, section 2.2.3}
 */
export function ecdsaDer(raw: Uint8Array): Uint8Array {
  const body = Buffer.concat([integer(raw.subarray(0, raw.length / 2)), integer(raw.subarray(raw.length / 2))])
  return Buffer.concat([Buffer.from(body.length < 0x80 ? [0x30, body.length] : [0x30, 0x81, body.length]), body])
}

/** As short as can be, and not negative. */
function integer(octets: Uint8Array): Buffer {
  const first = octets.findIndex((it) => it !== 0)
  const short = octets.subarray(first < 0 ? -1 : first)
  const sign = (short[0] ?? 0) >= 0x80 ? [0] : []
  return Buffer.from([0x02, sign.length + short.length, ...sign, ...short])
}
