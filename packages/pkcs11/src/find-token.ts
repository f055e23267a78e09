import { Pkcs11Error } from './errors.ts'
import { listTokens, type TokenInfo } from './list-tokens.ts'
import type { Pkcs11Module } from './load-module.ts'
import type { Pkcs11Uri } from './uri.ts'

const FIELDS = [
  'token',
  'serial',
  'manufacturer',
  'model',
  'slotId',
  'slotDescription',
  'slotManufacturer',
  'libraryManufacturer',
  'libraryDescription',
  'libraryVersion',
] as const

/**
 * Finds the one token that a URI's path attributes name.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_TOKEN_ABSENT` or `ERR_PKCS11_TOKEN_AMBIGUOUS`, which says how many tokens each attribute matched.
 */
export function findToken(module: Pkcs11Module, uri: Pkcs11Uri): TokenInfo {
  const tokens = listTokens(module)
  const asked = FIELDS.filter((field) => uri[field] !== undefined)
  const matches = (it: TokenInfo, field: (typeof FIELDS)[number]): boolean => it[field] === wanted(uri, field)
  const found = tokens.filter((it) => asked.every((field) => matches(it, field)))
  const [only] = found
  if (only !== undefined && found.length === 1) return only

  const each = asked.map(
    (field) => `${field} ${JSON.stringify(uri[field])} ${tokens.filter((it) => matches(it, field)).length}`,
  )
  const why = `${tokens.length} there${each.length > 0 ? `, of which match: ${each.join(', ')}` : ''}`
  if (found.length === 0) throw new Pkcs11Error('ERR_PKCS11_TOKEN_ABSENT', `no token matches (${why})`)
  throw new Pkcs11Error('ERR_PKCS11_TOKEN_AMBIGUOUS', `${found.length} tokens match: name its serial (${why})`)
}

function wanted(uri: Pkcs11Uri, field: (typeof FIELDS)[number]): unknown {
  const value = uri[field]
  if (field !== 'libraryVersion' || value === undefined) return value
  const [major, minor = '0'] = String(value).split('.') // RFC 7512, section 2.3: a minor version left out is 0
  return `${Number(major)}.${Number(minor)}`
}
