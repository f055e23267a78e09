const VERSION = '2011-06-15'

/**
 * A request body of the AWS query protocol.
 *
 * @see {@link https://smithy.io/2.0/aws/protocols/aws-query-protocol.html AWS query protocol}
 */
export function stsForm(action: string, input: object): string {
  return [['Action', action], ['Version', VERSION], ...pairs('', input)]
    .map(([name = '', value = '']) => `${encode(name)}=${encode(value)}`)
    .join('&')
}

function pairs(name: string, value: unknown): [string, string][] {
  if (value === undefined) return []
  if (typeof value === 'string' || typeof value === 'number') return [[name, String(value)]]
  if (Array.isArray(value)) {
    if (value.length === 0) return [[name, '']]
    return value.flatMap((item, index) => pairs(`${name}.member.${index + 1}`, item))
  }
  const prefix = name === '' ? '' : `${name}.`
  return Object.entries(value as object).flatMap(([field, item]) => pairs(prefix + field, item))
}

/** RFC 3986 §2.3: all but the unreserved characters. */
const encode = (value: string): string =>
  encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
