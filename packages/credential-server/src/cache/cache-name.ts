import { createHash } from 'node:crypto'

/** What decides a session, as JSON. Members that are undefined do not count. */
export type CacheKey =
  | string
  | number
  | boolean
  | null
  | readonly CacheKey[]
  | { readonly [name: string]: CacheKey | undefined }

/** Changes when what a file holds means something else. */
const FORMAT = 'hardbound process cache 1\n'

/**
 * Names the file of a session: SHA-256 over JSON whose members are sorted (RFC 8785 for what occurs in keys), in hex.
 *
 * @throws {TypeError} on what JSON can't say: it would be left out, and two sessions be taken for one.
 */
export function cacheName(key: CacheKey): string {
  return `${createHash('sha256').update(FORMAT).update(canonicalJson(key, 0)).digest('hex')}.json`
}

function canonicalJson(value: CacheKey | undefined, depth: number): string {
  if (depth > 16) throw new TypeError('the key of a cached session is nested too deeply')
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((it: CacheKey) => canonicalJson(it, depth + 1)).join(',')}]`
  if (!isPlain(value)) throw new TypeError('the key of a cached session must be plain JSON')
  const members = Object.entries(value)
    .filter(([, it]) => it !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, it]) => `${JSON.stringify(name)}:${canonicalJson(it, depth + 1)}`)
  return `{${members.join(',')}}`
}

/** Not by prototype, which differs between contexts: a Date or a Map has no members, and would be `{}`. */
function isPlain(value: unknown): value is { readonly [name: string]: CacheKey | undefined } {
  return Object.prototype.toString.call(value) === '[object Object]'
}
