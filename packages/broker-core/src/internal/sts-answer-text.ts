const MAX_DEPTH = 16
const PROLOG = /^<\?xml [\w="'. -]{1,100}\?>/
/** STS writes elements with at most the default namespace: no prefixes, no attributes, no `<!`, no `<?`. */
const TAG = /^<(\/?)([A-Za-z][A-Za-z0-9]{0,63})(?: xmlns="[^"<>&]{0,200}")?\s*(\/?)>$/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads the octets of an STS answer as text that an XML parser may be given: UTF-8, one root with the expected name,
 * elements only (no DOCTYPE, entity declaration, CDATA, comment or processing instruction), balanced, at most 16 deep,
 * and no element name twice, so that no reader can pick another `<Credentials>` than we do.
 *
 * @returns `undefined` where it is anything else.
 */
export function readStsAnswer(octets: Uint8Array, root: string): string | undefined {
  const text = decode(octets)
  if (text === undefined) return undefined
  const body = text.replace(PROLOG, '').trim()
  if (!body.startsWith(`<${root}`) || !body.endsWith('>')) return undefined
  const open: string[] = []
  const seen = new Set<string>()
  for (const { 0: raw, index } of body.matchAll(/<[^>]*>?/g)) {
    const tag = TAG.exec(raw)
    if (tag === null) return undefined
    const [, closing, name = '', selfClosing] = tag
    if (closing !== '') {
      if (open.pop() !== name) return undefined
      if (open.length === 0 && index + raw.length !== body.length) return undefined
    } else {
      if (seen.has(name) || (seen.size === 0 && name !== root)) return undefined
      seen.add(name)
      if (selfClosing === '' && open.push(name) > MAX_DEPTH) return undefined
    }
  }
  return open.length === 0 ? body : undefined
}

function decode(octets: Uint8Array): string | undefined {
  try {
    return utf8.decode(octets)
  } catch {
    return undefined
  }
}
