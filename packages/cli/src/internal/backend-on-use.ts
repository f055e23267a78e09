import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'

/** What may be over when the next one asks; nothing that a password or PIN was given to. */
const PASSING = new Set(['ERR_HMAC_UNAVAILABLE', 'ERR_HMAC_TIMEOUT'])

/**
 * A backend that opens when it is first asked: only when all flags are known to be right, so that no password is tried in vain. Where
 * the device was not there, it opens when it is asked again.
 */
export function backendOnUse(name: string, open: () => Promise<HmacBackend>): HmacBackend {
  let backend: Promise<HmacBackend> | undefined
  const opened = async (): Promise<HmacBackend> => {
    backend ??= open()
    try {
      return await backend
    } catch (error) {
      if (error instanceof Error && 'code' in error && PASSING.has(String(error.code))) backend = undefined
      throw error
    }
  }
  return {
    name,
    hmacSha256: async (message, options) => (await opened()).hmacSha256(message, options),
    close: async () => (await backend?.catch(() => undefined))?.close(),
  }
}
