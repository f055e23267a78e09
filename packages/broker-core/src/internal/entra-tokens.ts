import { BrokerError } from '../errors.ts'
import type { EntraToken } from './entra-call.ts'
import type { EntraApplication } from './entra-exchange.ts'

/** Tokens are handed out with so many seconds left, or half of their life where that is shorter. */
const MIN_LEFT_SECONDS = 300
/** Seconds that a token has left when it is handed out because no other can be had. */
const MIN_LEFT_IN_NEED_SECONDS = 30

export interface EntraTokens {
  /** @throws {BrokerError} what `fetch` threw, or `upstream_unavailable` (`upstream.throttled`) while Entra wants to be left alone. */
  get(application: EntraApplication, scope: string): Promise<{ token: EntraToken; cached: boolean }>
  clear(): void
}

export interface EntraTokensInit {
  /** Asks Entra. */
  readonly fetch: (application: EntraApplication, scope: string) => Promise<EntraToken>
  readonly maxTokens: number
  readonly clock: () => number
}

/** Keeps tokens by tenant, application and scope. Callers that arrive together share one request; failures are forgotten. */
export function createEntraTokens({ fetch, maxTokens, clock }: EntraTokensInit): EntraTokens {
  const tokens = new Map<string, EntraToken>()
  const flights = new Map<string, Promise<EntraToken>>()
  const throttledUntil = new Map<EntraApplication, number>() // milliseconds since the epoch

  async function ask(application: EntraApplication, scope: string, key: string): Promise<EntraToken> {
    assertNotThrottled(application)
    try {
      const token = await fetch(application, scope)
      if (!tokens.delete(key) && tokens.size >= maxTokens) tokens.delete(oldest(tokens))
      tokens.set(key, token)
      return token
    } catch (error) {
      if (error instanceof BrokerError && error.reason === 'upstream.throttled') {
        throttledUntil.set(application, clock() + (error.retryAfterSeconds ?? 0) * 1000)
      }
      throw error
    }
  }

  function launch(application: EntraApplication, scope: string, key: string): Promise<EntraToken> {
    const flight = ask(application, scope, key)
    flights.set(key, flight)
    const land = () => flights.delete(key)
    flight.then(land, land)
    return flight
  }

  function assertNotThrottled(application: EntraApplication): void {
    const seconds = Math.ceil(((throttledUntil.get(application) ?? 0) - clock()) / 1000)
    if (seconds <= 0) return
    throw new BrokerError('upstream_unavailable', 'upstream.throttled', { retryAfterSeconds: seconds })
  }

  return {
    async get(application, scope) {
      const key = `${application.tenantId} ${application.clientId} ${scope}`
      const kept = tokens.get(key)
      if (kept !== undefined && hasLeft(kept, MIN_LEFT_SECONDS, clock())) return { token: kept, cached: true }
      const running = flights.get(key)
      try {
        return { token: await (running ?? launch(application, scope, key)), cached: running !== undefined }
      } catch (error) {
        const passes = error instanceof BrokerError && error.status >= 503
        if (passes && kept !== undefined && hasLeft(kept, MIN_LEFT_IN_NEED_SECONDS, clock())) {
          return { token: kept, cached: true }
        }
        throw error
      }
    },
    clear: () => tokens.clear(),
  }
}

/** A clock that was set back makes a token look younger than new; how long it really holds is then unknown. */
function hasLeft({ obtainedAt, expiresAt }: EntraToken, seconds: number, now: number): boolean {
  const life = expiresAt - obtainedAt
  const left = expiresAt - now / 1000
  return left >= Math.min(seconds, life / 2) && now / 1000 >= obtainedAt
}

const oldest = (tokens: ReadonlyMap<string, EntraToken>): string => [...tokens.keys()][0] ?? ''
