/** Headers that proxies and clients change on the way, and `authorization`, which comes of signing. */
const NEVER_SIGNED: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'connection',
  'expect',
  'from',
  'keep-alive',
  'max-forwards',
  'pragma',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amzn-trace-id',
])
const NEVER_SIGNED_PREFIX = /^(?:proxy|sec)-/
const WHITE_SPACE = /^[\t ]|[\t ]$|[\t ]{2}|[\t\r\n]/

/** Which headers are signed beside the rule. Names in lower case. */
export interface HeaderRules {
  readonly unsignable?: ReadonlySet<string> | undefined
  /** Wins over everything. */
  readonly signable?: ReadonlySet<string> | undefined
}

/** Headers as the request sends them. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** The signed headers, and their list. */
export interface CanonicalHeaders {
  /** One line for each, with its line feed. */
  readonly lines: string
  /** `host;x-amz-date` */
  readonly names: string
}

/**
 * Headers of a canonical request: lower-case names in order, values trimmed and with single spaces. Several values of a name are
 * joined by commas, in their order.
 *
 * @see {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html AWS, "Create a signed request", step 1}
 */
export function canonicalHeaders(headers: Headers, rules: HeaderRules = {}): CanonicalHeaders {
  const values = new Map<string, string>()
  const names: string[] = []
  for (const given in headers) {
    const value = headers[given]
    if (value === undefined) continue
    const name = given.toLowerCase()
    if (!isSigned(name, rules)) continue
    const text = typeof value === 'string' ? squeeze(value) : value.map(squeeze).join(',')
    const before = values.get(name)
    if (before === undefined) names.push(name)
    values.set(name, before === undefined ? text : `${before},${text}`)
  }
  names.sort()
  let lines = ''
  for (const name of names) lines += `${name}:${values.get(name) ?? ''}\n`
  return { lines, names: names.join(';') }
}

function isSigned(name: string, { unsignable, signable }: HeaderRules): boolean {
  const never = NEVER_SIGNED.has(name) || unsignable?.has(name) === true || NEVER_SIGNED_PREFIX.test(name)
  return !never || signable?.has(name) === true
}

function squeeze(value: string): string {
  if (!WHITE_SPACE.test(value)) return value
  return value.replace(/[\t\r\n ]+/g, ' ').replace(/^ | $/g, '')
}
