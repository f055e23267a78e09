/** An empty TPM2B's content. */
export const EMPTY: Uint8Array = new Uint8Array(0)

/** One array of all parts, in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** UINT8. */
export function u8(value: number): Uint8Array {
  return Uint8Array.of(value)
}

/** UINT16, big-endian. */
export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value)
}

/** UINT32, big-endian. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** TPM2B: 16-bit size, then the octets. */
export function sized(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 0xffff) throw new RangeError(`a TPM2B holds at most 65535 octets, got ${bytes.length}`)
  return concat(u16(bytes.length), bytes)
}

/** A number, left-padded with zeros (ECC coordinates come without their leading ones). */
export function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes
  return concat(new Uint8Array(length - bytes.length), bytes)
}

/** Overwrites secrets; `undefined` is allowed, so that it can be called in a `finally`. */
export function wipe(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0)
}

/** `0x81000001`. */
export function hexHandle(handle: number): string {
  return `0x${handle.toString(16).padStart(8, '0')}`
}
