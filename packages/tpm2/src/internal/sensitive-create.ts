import { concat, EMPTY, sized, wipe } from './octets.ts'

/** TPM2B_SENSITIVE_CREATE (Part 2 §11.1.16). The caller wipes it. */
export function encodeSensitiveCreate(userAuth = EMPTY, data = EMPTY): Uint8Array {
  const parts = [sized(userAuth), sized(data)]
  const content = concat(...parts)
  const all = sized(content)
  wipe(content, ...parts)
  return all
}

/** Concatenates a TPM2B_SENSITIVE_CREATE with what comes after it, and wipes it. */
export function concatWithSensitive(sensitive: Uint8Array, ...rest: readonly Uint8Array[]): Uint8Array {
  const all = concat(sensitive, ...rest)
  wipe(sensitive)
  return all
}
