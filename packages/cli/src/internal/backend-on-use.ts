import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'

/** A backend that opens when it is first asked: only when all flags are known to be right, so that no password is tried in vain. */
export function backendOnUse(name: string, open: () => Promise<HmacBackend>): HmacBackend {
  let backend: Promise<HmacBackend> | undefined
  return {
    name,
    async hmacSha256(message, options) {
      backend ??= open()
      return (await backend).hmacSha256(message, options)
    },
    close: async () => (await backend?.catch(() => undefined))?.close(),
  }
}
