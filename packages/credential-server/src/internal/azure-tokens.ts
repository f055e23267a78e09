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
  /** How many users share the room. Default: 1. */
  users?: number
  timeoutMs: number
  clock: () => number
  random: () => number
  closing: AbortSignal
  onFailure: (refusal: Refusal) => void
}

/** Resources that were asked for last keep their tokens, whatever names clients make up. */
const KEPT_RESOURCES = 50
/** Those under way or failing, of all users and of one at least. Each costs a call of the credential. */
const UNPROVEN_RESOURCES = 50
const LEAST_SHARE = 4
const MAX_TOKEN_LENGTH = 64 * 1024
/** Entra's longest is 28 hours. What ends in years is in another unit, and would never be replaced. */
const MAX_LIFE_MS = 48 * 3_600_000

interface Entry {
  readonly source: RefreshingSource<AzureToken>
  /** Who asked for it first. */
  readonly uid: number | undefined
}

/** @returns what gets a token for a resource that a user asks for; throws {@link Refusal}. */
export function createAzureTokens(init: AzureTokensInit): (resource: string, uid?: number) => Promise<AzureToken> {
  const { users = 1 } = init
  const share = Math.max(LEAST_SHARE, Math.floor(UNPROVEN_RESOURCES / users))
  const entries = new Map<string, Entry>() // least recently used first
  setMaxListeners(0, init.closing) // each call under way listens; there is an end to them

  const makeRoom = (uid: number | undefined): void => {
    const unproven = [...entries.values()].filter((it) => !isProven(it) && !it.source.isIdle() && it.uid === uid)
    if (unproven.length >= share) throw new Refusal(429, 'busy', 'too many resources', { retryAfterSeconds: 30 })
    if (entries.size < KEPT_RESOURCES + users * share) return
    const idle = [...entries].filter(([, it]) => it.source.isIdle())
    const [oldest] =
      idle.find(([, it]) => !isProven(it)) ?? idle[0] ?? [...entries].find(([, it]) => isProven(it)) ?? []
    if (oldest !== undefined) entries.delete(oldest)
  }

  const open = (resource: string): RefreshingSource<AzureToken> =>
    createRefreshingSource<AzureToken>({
      ...init,
      fetch: async (abortSignal) =>
        readToken(await init.credential.getToken(`${resource}/.default`, { abortSignal }), init.clock()),
      onFailure: (error) => init.onFailure(credentialRefusal(error)),
    })

  return async (resource, uid) => {
    let entry = entries.get(resource)
    if (entry === undefined) {
      makeRoom(uid)
      entry = { source: open(resource), uid }
    }
    entries.delete(resource)
    entries.set(resource, entry)
    try {
      return await entry.source.get()
    } catch (error) {
      throw credentialRefusal(error, Math.ceil(entry.source.cooldownMs() / 1000))
    }
  }
}

/** Has a token: its resource is a real one. */
function isProven({ source }: Entry): boolean {
  return source.state().expiresAt !== undefined
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
