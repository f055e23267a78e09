/** Authorisation values count without zeros at their end (Part 1 §19.6.4.3). */
export function withoutTrailingZeros(value: Uint8Array): Uint8Array {
  let end = value.length
  while (end > 0 && value[end - 1] === 0) end--
  return value.subarray(0, end)
}
