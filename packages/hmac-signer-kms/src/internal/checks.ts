/** Milliseconds that a call may take. @throws {RangeError} */
export function assertLimits({ timeoutMs, maxWaiting }: { timeoutMs: number; maxWaiting: number }): void {
  assertInteger('timeoutMs', timeoutMs, 1, 300_000)
  assertInteger('maxWaiting', maxWaiting, 0, 100_000)
}

/** @throws {RangeError} */
export function assertInteger(option: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`"${option}" must be a whole number from ${min} to ${max}`)
  }
}

/**
 * An https URL without credentials, path, query or fragment; http only on loopback, and only where that was asked for.
 *
 * @throws {TypeError}
 */
export function originOf(option: string, value: string, allowPlaintext: boolean): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || url.origin === 'null' || `${url.origin}/` !== url.href) {
    throw new TypeError(`"${option}" must be https://host[:port]`)
  }
  const isLoopback = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback && allowPlaintext)) {
    throw new TypeError(`"${option}" must begin with https://`)
  }
  return url
}

/** Node's codes for certificates that do not verify. */
export const isCertificateCode = (code: string): boolean =>
  /CERT|ISSUER|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME|HOSTNAME/.test(code)

/** Base64 with padding, as `Buffer` writes it. @returns `undefined` for anything else. */
export function fromBase64(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined
  const octets = Buffer.from(text, 'base64')
  return octets.toString('base64') === text ? octets : undefined
}

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @returns `undefined` where the text is not a JSON object. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
