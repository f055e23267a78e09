import type { AccessToken } from '@azure/core-auth'
import { EkmCredentialError } from '../errors.ts'
import { type Caller, type SharedWork, shareWork } from './share-work.ts'
import type { TokenRequest } from './token-request.ts'

/** Where tokens come from, and when the next one is wanted. */
export interface TokenCacheInit {
  fetch: (want: TokenRequest, signal: AbortSignal) => Promise<Pick<AccessToken, 'token' | 'expiresOnTimestamp'>>
  /** Milliseconds before its end at which a token is replaced, or half of its life if that is less. */
  refreshBeforeMs: number
  /** Milliseconds since the epoch. */
  clock: () => number
  /** 0 up to 1. */
  random: () => number
}

type Token = Required<AccessToken>

interface Entry {
  token: Token | undefined
  /** Under way: the first token, or the next one. */
  work: SharedWork<Token> | undefined
}

/** Applications ask for a handful of scopes; a service that names ever new tenants in its challenges can't fill memory. */
const MAX_ENTRIES = 100
/**
 * A token is not used to its very end, as it has to arrive somewhere. Less than the second that Azure's clients take: up to then
 * they ask without waiting for the answer, and a failure that nobody waits for would be an unhandled rejection.
 */
const LAST_MOMENT_MS = 500
const MIN_PAUSE_MS = 1_000

/**
 * Keeps one token per scope and tenant. Callers that find none share one fetch; callers that find one that is soon to end get
 * it at once, and the first of them starts the fetch of the next. A failure is not kept, but pauses such early fetches.
 */
export function createTokenCache({ fetch, refreshBeforeMs, clock, random }: TokenCacheInit) {
  const entries = new Map<string, Entry>()

  function start(entry: Entry, want: TokenRequest): SharedWork<Token> {
    const work = shareWork(
      async (signal) => {
        const { token, expiresOnTimestamp } = await fetch(want, signal)
        const now = clock()
        // Up to a fifth later, and never sooner: by then the broker's own cache has a new one too.
        const early = Math.min(refreshBeforeMs, (expiresOnTimestamp - now) / 2) * (1 - random() / 5)
        const refreshAfterTimestamp = Math.floor(expiresOnTimestamp - early)
        entry.token = { token, expiresOnTimestamp, refreshAfterTimestamp, tokenType: 'Bearer' }
        return entry.token
      },
      () => {
        if (entry.work === work) entry.work = undefined
      },
    )
    return work
  }

  /** Nobody waits for this one, so nobody's leaving ends it. */
  function refresh(entry: Entry, want: TokenRequest): void {
    entry.work = start(entry, want)
    entry.work.join({}).catch((error: unknown) => {
      if (entry.token === undefined) return
      const now = clock()
      const asked = error instanceof EkmCredentialError ? (error.refusal?.retryAfterSeconds ?? 0) * 1000 : 0
      const pause = Math.max(MIN_PAUSE_MS, (entry.token.expiresOnTimestamp - now) / 10, asked)
      entry.token = { ...entry.token, refreshAfterTimestamp: Math.ceil(now + pause) }
    })
  }

  /** Most recently used last. */
  function entryOf({ scope, tenantId }: TokenRequest): Entry {
    const key = `${tenantId ?? ''} ${scope}`
    const entry = entries.get(key) ?? { token: undefined, work: undefined }
    entries.delete(key)
    entries.set(key, entry)
    for (const oldest of entries.keys()) {
      if (entries.size <= MAX_ENTRIES) break
      entries.delete(oldest)
    }
    return entry
  }

  return async (want: TokenRequest, caller: Caller): Promise<Token> => {
    const entry = entryOf(want)
    const now = clock()
    if (entry.token === undefined || now >= entry.token.expiresOnTimestamp - LAST_MOMENT_MS) {
      entry.work ??= start(entry, want)
      return { ...(await entry.work.join(caller)) }
    }
    if (now >= entry.token.refreshAfterTimestamp && entry.work === undefined) refresh(entry, want)
    return { ...entry.token }
  }
}
