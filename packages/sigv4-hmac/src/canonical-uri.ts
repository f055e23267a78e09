/** Unreserved characters of RFC 3986, section 2.3: all that SigV4 leaves as they are. */
const UNRESERVED = /^[\w.~-]*$/
const LEFT_BY_ENCODE_URI_COMPONENT = /[!'()*]/g

/** Percent-encodes every octet of the UTF-8 text but unreserved ones, in upper-case digits. */
export function uriEncode(text: string): string {
  if (UNRESERVED.test(text)) return text
  return encodeURIComponent(text).replace(
    LEFT_BY_ENCODE_URI_COMPONENT,
    (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/**
 * The path of a canonical request.
 *
 * @param path As it stands in the request line, already encoded once. Empty: `/`.
 * @param rule `s3`: as it is. `other`: empty and dot segments resolved (RFC 3986, section 5.2.4), then encoded a second time.
 */
export function canonicalPath(path: string, rule: 's3' | 'other'): string {
  if (path === '' || path === '/') return '/'
  if (rule === 's3') return path
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  if (kept.length === 0) return '/'
  const trailing = path.endsWith('/') ? '/' : ''
  return `/${kept.map(uriEncode).join('/')}${trailing}`
}

/** Names and values of a query, decoded. */
export type QueryPairs = readonly (readonly [name: string, value: string])[]

/** The query of a canonical request: encoded, then sorted by name, then by value. */
export function canonicalQuery(pairs: QueryPairs): string {
  if (pairs.length === 0) return ''
  const encoded = pairs.map(([name, value]) => [uriEncode(name), uriEncode(value)] as const)
  encoded.sort(([a, x], [b, y]) => order(a, b) || order(x, y))
  return encoded.map(([name, value]) => `${name}=${value}`).join('&')
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Names and values of the query of a URL. `+` is a space, as AWS reads it.
 *
 * @param query Without the `?`.
 * @throws {TypeError} where it is not percent-encoded UTF-8.
 */
export function parseQuery(query: string): QueryPairs {
  if (query === '') return []
  return query
    .split('&')
    .filter((it) => it !== '')
    .map((it) => {
      const at = it.indexOf('=')
      return at === -1 ? ([decode(it), ''] as const) : ([decode(it.slice(0, at)), decode(it.slice(at + 1))] as const)
    })
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new TypeError('the query of the URL is not percent-encoded UTF-8')
  }
}
