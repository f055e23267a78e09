const MAX_DEPTH = 8
const DECLARATION = /^<\?xml version="1\.[0-9]"(?: encoding="(?:UTF|utf)-8")?(?: standalone="(?:yes|no)")? ?\?>/
/** A tag with at most the default namespace, or text. No prefix, no other attribute, no `<!`, no `<?`. */
const TOKEN = /<(\/?)([A-Za-z][A-Za-z0-9]{0,63})(?: xmlns="[^"<&]{0,200}")?(?: ?(\/?))>|[^<]+/y
const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9A-Fa-f]{1,6}));|&/g
const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
/** XML 1.0 §2.2, Char, the other way round. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: to refuse them
const NOT_XML = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Cs}/u
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** An element: its text, or its children by name. */
export type XmlElement = string | XmlChildren
/** No name twice, so that no two readers can see different things. */
export type XmlChildren = ReadonlyMap<string, XmlElement>

/** An element that is not closed yet. */
interface Open {
  readonly name: string
  readonly children: Map<string, XmlElement>
  text: string
}

/**
 * Reads as much of XML as AWS's query protocol answers with: UTF-8, elements and text, the five entities and character
 * references. No DTD, comment, CDATA, processing instruction, attribute, mixed content, or name twice in one element; at
 * most 8 deep.
 *
 * @returns The root's name and content; `undefined` where it is anything else.
 */
export function readXml(octets: Uint8Array): { name: string; content: XmlElement } | undefined {
  const source = decode(octets)
  if (source === undefined || NOT_XML.test(source)) return undefined
  const body = source.replace(DECLARATION, '').trim()
  const document: Open = { name: '', children: new Map(), text: '' }
  const open = [document]
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < body.length) {
    const token = TOKEN.exec(body)
    const inner = open.at(-1)
    if (token === null || inner === undefined) return undefined
    const [raw, closing, name, empty] = token
    if (name === undefined) inner.text += raw
    else if (closing !== '') {
      const outer = open.at(-2)
      if (inner.name !== name || outer === undefined || !close(inner, outer)) return undefined
      open.pop()
    } else if (empty !== '') {
      if (!close({ name, children: new Map(), text: '' }, inner)) return undefined
    } else if (open.push({ name, children: new Map(), text: '' }) > MAX_DEPTH + 1) return undefined
  }
  const [root] = document.children
  if (open.length > 1 || root === undefined || document.children.size > 1 || document.text !== '') return undefined
  return { name: root[0], content: root[1] }
}

/** Puts an element that is over into its parent. @returns Whether it is one that we read. */
function close({ name, children, text }: Open, parent: Open): boolean {
  if (parent.children.has(name)) return false
  if (children.size > 0) {
    parent.children.set(name, children)
    return text.trim() === ''
  }
  const content = dereferenced(text)
  if (content === undefined) return false
  parent.children.set(name, content)
  return true
}

function dereferenced(text: string): string | undefined {
  let bad = false
  const content = text.replace(REFERENCE, (_, name?: keyof typeof NAMED, decimal?: string, hex?: string) => {
    if (name !== undefined) return NAMED[name]
    const point = decimal === undefined ? Number.parseInt(hex ?? '0', 16) : Number(decimal)
    const character = point > 0x10ffff ? '\0' : String.fromCodePoint(point)
    bad ||= NOT_XML.test(character)
    return character
  })
  return bad ? undefined : content
}

function decode(octets: Uint8Array): string | undefined {
  try {
    return utf8.decode(octets)
  } catch {
    return undefined
  }
}
