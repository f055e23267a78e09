import { type JsonObject, parseStrictJson } from '@hardbound/attestation-verify/strict-json'

/** @returns `undefined` where it is not one JSON object, of a size that Entra's may have. */
export function readJsonObject(json: Uint8Array): JsonObject | undefined {
  try {
    const value = parseStrictJson(json, { maxBytes: 65_536, maxDepth: 16 })
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
