import { setMaxListeners } from 'node:events'
import type { AccessToken, TokenCredential } from '@azure/core-auth'
import { credentialRefusal } from './credential-refusal.ts'
import { createRefreshingSource, type Expiring, type RefreshingSource } from './refreshing-source.ts'
import { Refusal } from './refusal.ts'

/** A token that is good now. */
export interface AzureToken extends Expiring {
  readonly token: string
  /** When it came, in milliseconds since the epoch. */
  readonly issuedAt: number
}

export interface AzureTokensInit {
  credential: TokenCredential
  timeoutMs: number
  clock: () => number
  random: () => number
  closing: AbortSignal
  onFailure: (refusal: Refusal) => void
}

/** Resources at a time. A client can make names up, and each costs a call of the credential. */
const MAX_RESOURCES = 100
const MAX_TOKEN_LENGTH = 64 * 1024
/** Entra's longest is 28 hours. What ends in years is in another unit, and would never be replaced. */
const MAX_LIFE_MS = 48 * 3_600_000

/** @returns what gets a token for a resource; throws {@link Refusal}. */
export function createAzureTokens(init: AzureTokensInit): (resource: string) => Promise<AzureToken> {
  const sources = new Map<string, RefreshingSource<AzureToken>>()
  setMaxListeners(0, init.closing) // each call under way listens; MAX_RESOURCES bounds them

  const open = (resource: string): RefreshingSource<AzureToken> => {
    if (sources.size >= MAX_RESOURCES) {
      const idle = [...sources].find(([, it]) => it.isIdle())
      if (idle === undefined) throw new Refusal(429, 'busy', 'too many resources', { retryAfterSeconds: 30 })
      sources.delete(idle[0])
    }
    return createRefreshingSource<AzureToken>({
      ...init,
      fetch: async (abortSignal) =>
        readToken(await init.credential.getToken(`${resource}/.default`, { abortSignal }), init.clock()),
      onFailure: (error) => init.onFailure(credentialRefusal(error)),
    })
  }

  return async (resource) => {
    const source = sources.get(resource) ?? open(resource)
    sources.delete(resource) // least recently used first
    sources.set(resource, source)
    try {
      return await source.get()
    } catch (error) {
      throw credentialRefusal(error, Math.ceil(source.cooldownMs() / 1000))
    }
  }
}

/** What a credential gives is not taken on trust: an empty success would make SDKs drop what they have. */
function readToken(answer: AccessToken | null, now: number): AzureToken {
  const { token, expiresOnTimestamp, refreshAfterTimestamp } = answer ?? {}
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(token)) {
    throw new Refusal(503, 'credential', 'the credential gave no token')
  }
  if (typeof expiresOnTimestamp !== 'number' || !(expiresOnTimestamp <= now + MAX_LIFE_MS)) {
    throw new Refusal(503, 'credential', 'the credential gave a token without a sensible expiry')
  }
  const refreshAfter = Number.isFinite(refreshAfterTimestamp) ? refreshAfterTimestamp : undefined
  return Object.freeze({
    token,
    expiresAt: expiresOnTimestamp,
    issuedAt: now,
    ...(refreshAfter === undefined ? {} : { refreshAfter }),
  })
}
