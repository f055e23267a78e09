import type { JsonObject, JsonValue } from '../strict-json.ts'

/** Whether a JSON value is an object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a JSON value is a list of strings. */
export function isStringList(value: JsonValue | undefined): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** A claim has another JSON type than its documentation says. The message names the claim, not its value. */
export class ClaimTypeError extends Error {
  override readonly name = 'ClaimTypeError'

  constructor(claim: string, wanted: string) {
    super(`"${claim}" is not ${wanted}`)
  }
}

/*
 * Readers of claims: absent and null are the same. Each throws ClaimTypeError where the JSON type is another one.
 */

export function readString(from: JsonObject, claim: string): string | undefined {
  const value = from[claim] ?? undefined
  if (value !== undefined && typeof value !== 'string') throw new ClaimTypeError(claim, 'a string')
  return value
}

export function readBoolean(from: JsonObject, claim: string): boolean | undefined {
  const value = from[claim] ?? undefined
  if (value !== undefined && typeof value !== 'boolean') throw new ClaimTypeError(claim, 'a boolean')
  return value
}

export function readObject(from: JsonObject, claim: string): JsonObject | undefined {
  const value = from[claim] ?? undefined
  if (value !== undefined && !isObject(value)) throw new ClaimTypeError(claim, 'an object')
  return value
}

export function readStrings(from: JsonObject, claim: string): readonly string[] {
  const value = from[claim] ?? []
  if (!isStringList(value)) throw new ClaimTypeError(claim, 'a list of strings')
  return value
}

export function readStringMap(from: JsonObject, claim: string): Readonly<Record<string, string>> {
  const map = readObject(from, claim) ?? {}
  if (!isStringList(Object.values(map))) throw new ClaimTypeError(claim, 'a map of strings')
  return map as Record<string, string>
}

export function readObjects(from: JsonObject, claim: string): readonly JsonObject[] {
  const value = from[claim] ?? []
  if (!Array.isArray(value) || !value.every(isObject)) throw new ClaimTypeError(claim, 'a list of objects')
  return value
}
