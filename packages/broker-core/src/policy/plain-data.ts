import { createHash } from 'node:crypto'
import type { JsonValue } from '@hardbound/attestation-verify/strict-json'
import { formatPath, PolicyError } from './policy-error.ts'

const MAX_DEPTH = 32

/**
 * Copies a document made of plain data, so that later changes to the original change nothing.
 *
 * @throws {PolicyError} `ERR_POLICY_INVALID` for anything JSON has no word for, and for keys that name prototypes.
 */
export function copyPlainData(value: unknown, path: readonly PropertyKey[] = []): JsonValue {
  const refuse = (problem: string) => new PolicyError('ERR_POLICY_INVALID', formatPath(path), problem)
  if (path.length > MAX_DEPTH) throw refuse('nested too deep')
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  if (Array.isArray(value)) return value.map((item, index) => copyPlainData(item, [...path, index]))
  if (typeof value !== 'object' || !isPlain(value))
    throw refuse('must be text, an integer, a truth value, a list or a mapping')
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  for (const [key] of entries) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype')
      throw refuse('has a key that is not allowed')
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, copyPlainData(item, [...path, key])]))
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Plain objects of another realm (worker, vm) count too: their prototype has none above it.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Hex SHA-256 of the UTF-8 octets of a text. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex')

/** JSON with sorted keys: the same for every order in which a document was put together. */
export function canonicalJson(value: JsonValue): string {
  return JSON.stringify(value, (_, item: JsonValue) =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}
