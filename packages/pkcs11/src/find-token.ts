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

/** Whether a token has all that a URI's path attributes say of tokens. */
export function matchesToken(token: TokenInfo, uri: Pkcs11Uri): boolean {
  return askedOf(uri).every((field) => token[field] === wanted(uri, field))
}

const askedOf = (uri: Pkcs11Uri) => FIELDS.filter((field) => uri[field] !== undefined)

/**
 * Finds the one token that a URI's path attributes name.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_TOKEN_ABSENT` or `ERR_PKCS11_TOKEN_AMBIGUOUS`, which says how many tokens each attribute matched.
 */
export function findToken(module: Pkcs11Module, uri: Pkcs11Uri): TokenInfo {
  const tokens = listTokens(module)
  const found = tokens.filter((it) => matchesToken(it, uri))
  const [only] = found
  if (only !== undefined && found.length === 1) return only

  const each = askedOf(uri).map(
    (field) =>
      `${field} ${JSON.stringify(uri[field])} ${tokens.filter((it) => it[field] === wanted(uri, field)).length}`,
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
