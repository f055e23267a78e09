import { BrokerError } from '../errors.ts'
import type { EntraToken } from './entra-call.ts'
import type { EntraApplication } from './entra-exchange.ts'
import { createEntraPatience } from './entra-patience.ts'

/** Tokens are handed out with so many seconds left, or half of their life where that is shorter. */
const MIN_LEFT_SECONDS = 300
/** Seconds that a token has left when it is handed out because no other can be had. */
const MIN_LEFT_IN_NEED_SECONDS = 30

export interface EntraTokens {
  /** @throws {BrokerError} what `fetch` threw, now or a short time ago; `upstream.throttled` while Entra wants to be left alone. */
  get(application: EntraApplication, scope: string): Promise<{ token: EntraToken; cached: boolean }>
  clear(): void
}

export interface EntraTokensInit {
  /** Asks Entra. */
  readonly fetch: (application: EntraApplication, scope: string) => Promise<EntraToken>
  readonly maxTokens: number
  readonly clock: () => number
}

/** Keeps tokens by tenant, application and scope. Callers that arrive together share one request. */
export function createEntraTokens({ fetch, maxTokens, clock }: EntraTokensInit): EntraTokens {
  const tokens = new Map<string, EntraToken>()
  const flights = new Map<string, Promise<EntraToken>>()
  const patience = createEntraPatience(clock)

  async function ask(application: EntraApplication, scope: string, key: string): Promise<EntraToken> {
    patience.assertMayAsk(application, key)
    try {
      const token = await fetch(application, scope)
      if (!tokens.delete(key) && tokens.size >= maxTokens) tokens.delete(oldest(tokens))
      tokens.set(key, token)
      return token
    } catch (error) {
      patience.note(application, key, error)
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
