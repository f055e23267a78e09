/** What an emulator throws to refuse a request. Messages never quote a token or a key. */
export class KmsRefusal extends Error {
  override readonly name = 'KmsRefusal'
  /** HTTP status of the answer. */
  readonly status: number
  /** The service's own name for it. */
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export type JsonObject = Readonly<Record<string, unknown>>

/** @returns The object, or `undefined` where the text is none. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

/** Decodes standard base64 with padding. @returns `undefined` where it is anything else. */
export function fromBase64(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined
  const octets = Buffer.from(text, 'base64')
  return octets.toString('base64') === text ? octets : undefined
}
