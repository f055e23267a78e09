import { createHash, randomBytes } from 'node:crypto'

/** As many as base64 makes 100 characters of. */
const TOKEN_OCTETS = 75
const MAX_TOKENS = 256

export interface ImdsTokensInit {
  /** How many users share the room. */
  users: number
  /** Milliseconds; a clock that is never set, where there is one. */
  clock: () => number
}

/** Session tokens of IMDSv2. A token is good for the user that asked for it, and nobody else. */
export interface ImdsTokens {
  /** @returns 100 characters. */
  issue(uid: number | undefined, ttlSeconds: number): string
  /** @returns Whole seconds that the token is good for, or nothing where it is not. */
  remainingSeconds(token: string, uid: number | undefined): number | undefined
}

interface Entry {
  readonly uid: number | undefined
  readonly expiresAt: number
}

/**
 * Keeps at most 256 tokens, each user's share of them apart, so that nobody can push out another user's. A user whose share
 * is full loses the token that ends first.
 *
 * Only digests are kept: a look-up takes a time that depends on the digest, of which a guesser chooses nothing.
 */
export function createImdsTokens({ users, clock }: ImdsTokensInit): ImdsTokens {
  const entries = new Map<string, Entry>()
  const share = Math.max(1, Math.floor(MAX_TOKENS / users))

  const makeRoom = (uid: number | undefined, now: number): void => {
    let count = 0
    let first: [string, Entry] | undefined
    for (const item of entries) {
      const [key, entry] = item
      if (entry.expiresAt <= now) entries.delete(key)
      else if (entry.uid === uid) {
        count++
        if (first === undefined || entry.expiresAt < first[1].expiresAt) first = item
      }
    }
    if (count >= share && first !== undefined) entries.delete(first[0])
  }

  return {
    issue: (uid, ttlSeconds) => {
      const now = clock()
      makeRoom(uid, now)
      const token = randomBytes(TOKEN_OCTETS).toString('base64')
      entries.set(digest(token), { uid, expiresAt: now + ttlSeconds * 1000 })
      return token
    },
    remainingSeconds: (token, uid) => {
      const entry = entries.get(digest(token))
      const left = entry === undefined || entry.uid !== uid ? 0 : entry.expiresAt - clock()
      return left > 0 ? Math.floor(left / 1000) : undefined
    },
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
