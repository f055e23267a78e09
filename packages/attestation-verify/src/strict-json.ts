/** A JSON value. Integers beyond ±(2^53 - 1) are strings of their digits, so that none is rounded. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject

/** A JSON object. A key `__proto__` in the text is an own property like any other, and sets no prototype. */
export interface JsonObject {
  [key: string]: JsonValue
}

/** Why a text was refused. */
export type StrictJsonErrorCode =
  | 'ERR_JSON_SIZE' // more octets or keys than allowed
  | 'ERR_JSON_SYNTAX' // not RFC 8259, or a number beyond the range of a double
  | 'ERR_JSON_DUPLICATE_KEY'
  | 'ERR_JSON_DEPTH'
  | 'ERR_JSON_ENCODING' // not UTF-8, a byte order mark, or a lone surrogate

/** The only error of {@link parseStrictJson}. Messages give the place, never the content. */
export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError'
  readonly code: StrictJsonErrorCode

  constructor(code: StrictJsonErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What a text may cost. */
export interface StrictJsonLimits {
  /** Octets of UTF-8. */
  readonly maxBytes: number
  /** Arrays and objects inside each other; a bare scalar has depth 0. */
  readonly maxDepth: number
  /** Object keys in all. Default: no limit but the size. */
  readonly maxKeys?: number
}

/**
 * Parses JSON as RFC 8259 has it, refusing what parsers disagree about: duplicate keys (RFC 8259 §4), byte order marks
 * and lone surrogates (§8.1, §8.2), numbers that a double can't hold (§6).
 *
 * @throws {StrictJsonError} and nothing else.
 */
export function parseStrictJson(input: string | Uint8Array, limits: StrictJsonLimits): JsonValue {
  const octets = typeof input === 'string' ? Buffer.byteLength(input) : input.length
  if (octets > limits.maxBytes) throw new StrictJsonError('ERR_JSON_SIZE', `more than ${limits.maxBytes} octets`)
  return new Parser(wellFormed(input), limits).parse()
}

const LONE_SURROGATE = /\p{Surrogate}/u
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function wellFormed(input: string | Uint8Array): string {
  let text: string
  try {
    text = typeof input === 'string' ? input : UTF8.decode(input)
  } catch (cause) {
    throw new StrictJsonError('ERR_JSON_ENCODING', 'not UTF-8', { cause })
  }
  if (text.charCodeAt(0) === 0xfeff) throw new StrictJsonError('ERR_JSON_ENCODING', 'starts with a byte order mark')
  if (typeof input === 'string' && LONE_SURROGATE.test(text)) {
    throw new StrictJsonError('ERR_JSON_ENCODING', 'a lone surrogate')
  }
  return text
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Assigning `__proto__` would set the prototype; defining each key would cost time. */
function set(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') object[key] = value
  else Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
}

/** Recursive descent, RFC 8259 §2 to §7; the depth is checked before each descent. */
class Parser {
  readonly #text: string
  readonly #limits: StrictJsonLimits
  #at = 0
  #depth = 0
  #keys = 0

  constructor(text: string, limits: StrictJsonLimits) {
    this.#text = text
    this.#limits = limits
  }

  parse(): JsonValue {
    const value = this.#value()
    if (!Number.isNaN(this.#next())) throw this.#syntax()
    return value
  }

  #value(): JsonValue {
    switch (this.#next()) {
      case OPEN_OBJECT:
        return this.#object()
      case OPEN_ARRAY:
        return this.#array()
      case QUOTE:
        return this.#string()
      case 0x74:
        return this.#word('true', true)
      case 0x66:
        return this.#word('false', false)
      case 0x6e:
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  #object(): JsonObject {
    const object: JsonObject = {}
    this.#descend()
    if (this.#next() === CLOSE_OBJECT) return this.#ascend(object)
    for (;;) {
      if (this.#next() !== QUOTE) throw this.#syntax()
      const key = this.#string()
      if (Object.hasOwn(object, key)) {
        throw new StrictJsonError('ERR_JSON_DUPLICATE_KEY', `a key twice, before offset ${this.#at}`)
      }
      this.#keys += 1
      if (this.#keys > (this.#limits.maxKeys ?? Number.POSITIVE_INFINITY)) {
        throw new StrictJsonError('ERR_JSON_SIZE', `more than ${this.#limits.maxKeys} keys`)
      }
      if (this.#next() !== COLON) throw this.#syntax()
      this.#at += 1
      set(object, key, this.#value())
      if (!this.#another(CLOSE_OBJECT)) return this.#ascend(object)
    }
  }

  #array(): JsonValue[] {
    const array: JsonValue[] = []
    this.#descend()
    if (this.#next() === CLOSE_ARRAY) return this.#ascend(array)
    do array.push(this.#value())
    while (this.#another(CLOSE_ARRAY))
    return this.#ascend(array)
  }

  /** Steps over a comma and answers true, or stops at the closing bracket. */
  #another(close: number): boolean {
    const code = this.#next()
    if (code === close) return false
    if (code !== COMMA) throw this.#syntax()
    this.#at += 1
    return true
  }

  #descend(): void {
    this.#depth += 1
    this.#at += 1
    if (this.#depth > this.#limits.maxDepth) {
      throw new StrictJsonError('ERR_JSON_DEPTH', `nested deeper than ${this.#limits.maxDepth}`)
    }
  }

  #ascend<T>(value: T): T {
    this.#depth -= 1
    this.#at += 1
    return value
  }

  #string(): string {
    const text = this.#text
    const start = this.#at
    let escaped = false
    for (let at = start + 1; at < text.length; at += 1) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) {
        this.#at = at + 1
        return escaped ? this.#unescape(start) : text.slice(start + 1, at)
      }
      if (code === BACKSLASH) {
        escaped = true
        at += 1
      } else if (code < 0x20) {
        break
      }
    }
    throw this.#syntax()
  }

  /** One string literal with escapes; the built-in parser knows them all and reads nothing else here. */
  #unescape(start: number): string {
    let value: string
    try {
      value = JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch {
      throw this.#syntax()
    }
    if (LONE_SURROGATE.test(value)) throw new StrictJsonError('ERR_JSON_ENCODING', 'a lone surrogate')
    return value
  }

  #number(): number | string {
    NUMBER.lastIndex = this.#at
    const match = NUMBER.exec(this.#text)
    if (match === null) throw this.#syntax()
    const [literal, fraction, exponent] = match
    const value = Number(literal)
    if (!Number.isFinite(value)) throw new StrictJsonError('ERR_JSON_SYNTAX', `a number out of range at ${this.#at}`)
    this.#at += literal.length
    const integer = fraction === undefined && exponent === undefined
    return integer && !Number.isSafeInteger(value) ? literal : value
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#syntax()
    this.#at += word.length
    return value
  }

  /** Skips white space; the code unit found there, NaN at the end. */
  #next(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code
      this.#at += 1
    }
  }

  #syntax(): StrictJsonError {
    return new StrictJsonError('ERR_JSON_SYNTAX', `not JSON at offset ${this.#at}`)
  }
}
