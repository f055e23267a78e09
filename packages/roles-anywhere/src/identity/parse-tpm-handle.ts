const HANDLE = /^handle:(?:0x)?([0-9a-f]{1,8})$/i

/**
 * Reads a TPM handle as `--private-key` has it: `handle:0x81000101`, `handle:81000101`.
 *
 * @throws {TypeError} on anything else.
 */
export function parseTpmHandle(text: string): number {
  const digits = HANDLE.exec(text)?.[1]
  if (digits === undefined)
    throw new TypeError('a TPM handle is "handle:" and hexadecimal digits, as handle:0x81000101')
  return Number.parseInt(digits, 16)
}
