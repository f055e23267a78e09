import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'

/**
 * Loads an optional peer dependency once, when it is first needed.
 *
 * @throws {HmacBackendError} `ERR_HMAC_MODULE`, saying what to install. The next call tries again.
 */
export function onceLoaded<T>(name: string, load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined
  return () => {
    loading ??= load().catch((cause: unknown) => {
      loading = undefined
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
      const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
      const why = isMissing ? `needs the package ${name} beside it: npm install ${name}` : `can't load ${name}`
      throw new HmacBackendError('ERR_HMAC_MODULE', `kms: ${why}`)
    })
    return loading
  }
}
