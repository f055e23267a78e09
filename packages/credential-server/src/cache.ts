export type { CacheKey } from './cache/cache-name.ts'
export { ProcessCacheError, type ProcessCacheErrorCode } from './cache/errors.ts'
export type { AwsKeys } from './credentials-file/keys.ts'
export { type ProcessCache, type ProcessCacheEvent, type ProcessCacheInit, processCache } from './process-cache.ts'
