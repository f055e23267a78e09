import { type JsonObject, type JsonValue, parseStrictJson, StrictJsonError } from '../strict-json.ts'
import { isObject } from './json.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'

/** Characters of a whole token. The longest real ones, with a certificate chain inside, have about 11,000. */
const MAX_TOKEN = 16_384
const MAX_DEPTH = 16

/** From text to JSON: JWS compact serialization (RFC 7515 §3.1, §5.2) with no second spelling of any token. */
export const decodeSteps: readonly Step[] = [
  { check: 'jwt.size', needs: [], run: size },
  { check: 'jwt.format', needs: ['jwt.size'], run: format },
  { check: 'jwt.encoding', needs: ['jwt.format'], run: encoding },
  { check: 'jwt.duplicate_key', needs: ['jwt.encoding'], run: duplicateKey },
  { check: 'jwt.depth', needs: ['jwt.encoding'], run: depth },
  { check: 'jwt.payload', needs: ['jwt.duplicate_key', 'jwt.depth'], run: payload },
]

function size({ token }: Draft): string {
  if (typeof token !== 'string' || token.length > MAX_TOKEN) throw new Rejection(`more than ${MAX_TOKEN} characters`)
  return `${token.length} characters`
}

function format(draft: Draft): undefined {
  const first = draft.token.indexOf('.')
  const second = draft.token.indexOf('.', first + 1)
  if (first < 0 || second < 0 || draft.token.includes('.', second + 1)) throw new Rejection('not three segments')
  draft.dots = [first, second]
}

function encoding(draft: Draft): undefined {
  const [first, second] = draft.dots
  draft.octets = {
    header: decodeSegment(draft.token.slice(0, first)),
    payload: decodeSegment(draft.token.slice(first + 1, second)),
    signature: decodeSegment(draft.token.slice(second + 1)),
  }
}

/** Node decodes whatever looks a bit like base64url; encoding it again shows whether it was the one canonical form. */
function decodeSegment(segment: string): Buffer {
  const octets = Buffer.from(segment, 'base64url')
  if (octets.toString('base64url') !== segment) throw new Rejection('not canonical base64url')
  return octets
}

function duplicateKey(draft: Draft): undefined {
  draft.parsed = { header: parse(draft.octets.header), payload: parse(draft.octets.payload) }
  refuse(draft, 'ERR_JSON_DUPLICATE_KEY')
}

function depth(draft: Draft): undefined {
  refuse(draft, 'ERR_JSON_DEPTH')
}

function refuse({ parsed }: Draft, code: StrictJsonError['code']): void {
  for (const part of ['header', 'payload'] as const) {
    const value = parsed[part]
    if (value instanceof StrictJsonError && value.code === code) throw new Rejection(`${part}: ${value.message}`)
  }
}

function payload(draft: Draft): undefined {
  draft.payload = objectOf(draft.parsed.payload)
}

/** The JSON object of one part, or a rejection that says why it is none. */
export function objectOf(parsed: JsonValue | StrictJsonError): JsonObject {
  if (parsed instanceof StrictJsonError) throw new Rejection(parsed.message)
  if (!isObject(parsed)) throw new Rejection('not a JSON object')
  return parsed
}

function parse(octets: Uint8Array): JsonValue | StrictJsonError {
  try {
    return parseStrictJson(octets, { maxBytes: MAX_TOKEN, maxDepth: MAX_DEPTH })
  } catch (error) {
    if (error instanceof StrictJsonError) return error
    throw error
  }
}
