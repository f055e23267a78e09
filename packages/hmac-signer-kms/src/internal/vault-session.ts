import { hash } from 'node:crypto'
import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import type { VaultAuth } from '../vault-auth.ts'
import { isObject, type JsonObject } from './checks.ts'
import { deadline, type VaultClient } from './vault-client.ts'
import { canReplace, isToken, readCredential } from './vault-credential.ts'

/** Keeps a token good: one login for all callers, renewed on use when two thirds of its time are over. */
export interface VaultSession {
  /** @throws {HmacBackendError} */
  token(): Promise<string>
  /** After Vault refused `stale`. @returns Another token, or `undefined` where there is none to be had. */
  replace(stale: string): Promise<string | undefined>
  /** `token` has been of use, so if it is refused later, another may be, too. */
  worked(token: string): void
  /** Revokes the tokens of its own logins, where Vault answers soon. Never fails. A second call does nothing. */
  close(): Promise<void>
}

interface Lease {
  readonly token: string
  readonly renewable: boolean
  readonly sinceMs: number
  readonly expiresAtMs: number
  readonly renewAtMs: number
}

/** A login that young is not repeated: it is the policy that refuses, not the token. */
const YOUNG_MS = 10_000
/** More than that nobody waits for a revocation. */
const REVOKE_MS = 1000

export function createVaultSession(o: {
  client: VaultClient
  auth: VaultAuth
  timeoutMs: number
  clock: () => number
}): VaultSession {
  const { client, auth, timeoutMs, clock } = o
  const closing = new AbortController()
  let lease: Lease | undefined
  let pending: Promise<Lease> | undefined
  let refused: string | undefined
  let proven: string | undefined
  let closed: Promise<void> | undefined
  /** Tokens of our own logins, and when they end. */
  const own = new Map<string, number>()

  /** Shared by all callers, so no caller's signal ends it. */
  function once(work: (signal: AbortSignal) => Promise<Lease>, limitMs = timeoutMs): Promise<Lease> {
    if (pending !== undefined) return pending
    const { signal, release } = deadline(closing.signal, limitMs)
    pending = work(signal)
      .then((it) => {
        lease = it
        if (own.has(it.token)) own.set(it.token, it.expiresAtMs)
        return it
      })
      .finally(() => {
        release()
        pending = undefined
      })
    return pending
  }

  async function acquire(signal: AbortSignal): Promise<Lease> {
    const credential = await readCredential(auth)
    if ('token' in credential) {
      if (!isToken(credential.token)) throw new HmacBackendError('ERR_HMAC_DENIED', 'vault: not a token')
      return lookUp(credential.token, signal)
    }
    // Vault locks out those who go on with what it has refused.
    const mark = hash('sha256', JSON.stringify(credential))
    if (mark === refused) throw new HmacBackendError('ERR_HMAC_DENIED', 'vault: this login was refused before')
    try {
      const { path, body } = credential
      const granted = leaseOf(await client.ask({ method: 'POST', path, body, signal }))
      for (const [token, endMs] of own) if (endMs <= clock()) own.delete(token)
      own.set(granted.token, granted.expiresAtMs)
      return granted
    } catch (cause) {
      // 400 and 403; a mount or namespace that is not there says nothing of the credential.
      if (!(cause instanceof HmacBackendError) || !/\(HTTP 40[03]\)$/.test(cause.message)) throw cause
      refused = mark
      throw new HmacBackendError('ERR_HMAC_DENIED', `vault: ${credential.path}: login refused`)
    }
  }

  /** A token that may not look at itself is used as it is, until Vault refuses it. */
  async function lookUp(token: string, signal: AbortSignal): Promise<Lease> {
    try {
      const { data } = await client.ask({ method: 'GET', path: 'auth/token/lookup-self', token, signal })
      if (!isObject(data)) throw malformed()
      return lasting(token, data.ttl, data.renewable)
    } catch (cause) {
      if (cause instanceof HmacBackendError && cause.code === 'ERR_HMAC_DENIED') return lasting(token, 0, false)
      throw cause
    }
  }

  /** Renews; where that adds little or nothing, logs in. Meanwhile the old token is good, so a node that is down is no failure. */
  async function refresh(old: Lease, signal: AbortSignal): Promise<Lease> {
    try {
      if (!old.renewable) return await acquire(signal)
      const { token } = old
      const renewed = leaseOf(
        await client.ask({ method: 'POST', path: 'auth/token/renew-self', body: {}, token, signal }),
      )
      const isShort = renewed.expiresAtMs - clock() < (old.expiresAtMs - old.sinceMs) / 2
      if (isShort && canReplace(auth)) return await acquire(signal)
      return { ...renewed, token, renewAtMs: isShort ? Number.POSITIVE_INFINITY : renewed.renewAtMs }
    } catch (cause) {
      if (clock() >= old.expiresAtMs) throw cause
      return { ...old, renewAtMs: clock() + (old.expiresAtMs - clock()) / 2 }
    }
  }

  const lasting = (token: string, seconds: unknown, renewable: unknown): Lease => {
    if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 0) throw malformed()
    const sinceMs = clock()
    const ttlMs = seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000
    const isRenewable = renewable === true
    return {
      token,
      renewable: isRenewable,
      sinceMs,
      expiresAtMs: sinceMs + ttlMs,
      renewAtMs: isRenewable || canReplace(auth) ? sinceMs + (ttlMs / 3) * 2 : Number.POSITIVE_INFINITY,
    }
  }

  const leaseOf = ({ auth: granted }: JsonObject): Lease => {
    if (!isObject(granted) || typeof granted.client_token !== 'string' || !isToken(granted.client_token))
      throw malformed()
    return lasting(granted.client_token, granted.lease_duration, granted.renewable)
  }

  async function end(): Promise<void> {
    closing.abort()
    await pending?.catch(() => undefined) // it may just have logged in
    lease = undefined
    const { signal, release } = deadline(new AbortController().signal, Math.min(timeoutMs, REVOKE_MS))
    const tokens = [...own].filter(([, endMs]) => endMs > clock()).map(([token]) => token)
    const path = 'auth/token/revoke-self'
    await Promise.allSettled(tokens.map((token) => client.ask({ method: 'POST', path, body: {}, token, signal })))
    own.clear()
    release()
  }

  return {
    async token() {
      const current = lease
      const now = clock()
      if (current === undefined || now >= current.expiresAtMs) return (await once(acquire)).token
      if (now < current.renewAtMs) return current.token
      // The old token is still good, so this may not use up the time of the call itself.
      return (await once((signal) => refresh(current, signal), timeoutMs / 3)).token
    },
    async replace(stale) {
      if (lease !== undefined && lease.token !== stale) return lease.token // another caller was faster
      if (!canReplace(auth)) return undefined
      if (lease !== undefined && !('tokenFile' in auth)) {
        if (clock() - lease.sinceMs < YOUNG_MS) return undefined
        if (proven !== lease.token) {
          lease = { ...lease, renewable: false } // a login when its time is over, not before
          return undefined
        }
      }
      const { token } = await once(acquire)
      return token === stale ? undefined : token
    },
    worked(token) {
      proven = token
    },
    close() {
      closed ??= end()
      return closed
    },
  }
}

const malformed = (): HmacBackendError =>
  new HmacBackendError('ERR_HMAC_RESPONSE', 'vault: a login or lookup without token or lifetime')
