/** Why the cache was not used, or not cleared. A key that can't be hashed is a `TypeError` instead. */
export type ProcessCacheErrorCode =
  | 'ERR_CACHE_UNSAFE' // the folder is a link, another user's, or open to others
  | 'ERR_CACHE_IO' // the system did not let us

/** Messages name the folder; never a key or what a set was made of. */
export class ProcessCacheError extends Error {
  override readonly name = 'ProcessCacheError'
  readonly code: ProcessCacheErrorCode

  constructor(code: ProcessCacheErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
