import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/core-auth'
import { assertConnectInit, withDeadline } from '@hardbound/ekm-tls'
import {
  type AttestationSource,
  type BrokerClientInit,
  confidentialSpaceLauncher,
  requestCredentials,
  retrying,
} from '@hardbound/ekm-tls/client'
import { asCredentialError } from './internal/as-credential-error.ts'
import { readToken } from './internal/read-token.ts'
import { abortError, MAX_TIMER_MS } from './internal/share-work.ts'
import { createTokenCache } from './internal/token-cache.ts'
import { GUID, readTokenRequest, type TokenRequest } from './internal/token-request.ts'

/** What {@link EkmCredential} needs to know. */
export interface EkmCredentialInit {
  /** The broker's `url`, its pinned `ca` or `spkiPins`, and what else the connection needs. */
  broker: BrokerClientInit['broker']
  /** The audience that the broker expects in attestation tokens. */
  audience: string
  /** Directory (tenant) id, a GUID: tokens must come from it. Left out: the tenant that the broker's rule names. */
  tenantId?: string
  /** Application (client) id, a GUID: tokens must be its own. Left out: the application that the broker's rule names. */
  clientId?: string
  /** Where attestation tokens come from. Default: the Confidential Space launcher. */
  attestation?: AttestationSource
  /** `go-v1` talks to the published Go programs. Default: `v2`. */
  protocol?: 'v2' | 'go-v1'
  /** For one token, retries included, in milliseconds. Default: 30 000. */
  timeoutMs?: number
  /** Tries in all while the broker is unreachable or overloaded. Default: 3. */
  maxAttempts?: number
  /** How long before its end a token is replaced, in milliseconds; half of its life, if that is less. Default: 300 000. */
  refreshBeforeMs?: number
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: () => number
  /** 0 up to 1; spreads the refreshes of many workloads. Default: `Math.random`. */
  random?: () => number
}

/**
 * An Azure credential for a workload in a confidential VM. For each scope it opens a connection to the broker, has its keying
 * material attested, and brings back an access token, which it keeps and replaces before it ends.
 */
export class EkmCredential implements TokenCredential {
  readonly #tenantId: string | undefined
  readonly #tokens: ReturnType<typeof createTokenCache>

  /** @throws {TypeError | RangeError} on an option that can't be right. */
  constructor(init: EkmCredentialInit) {
    const { protocol = 'v2', timeoutMs = 30_000, maxAttempts = 3, refreshBeforeMs = 300_000 } = init
    const { clock = Date.now, random = Math.random } = init
    if (typeof init.audience !== 'string' || init.audience === '') throw new TypeError('"audience" is required')
    const tenantId = readGuid('tenantId', init.tenantId)
    const clientId = readGuid('clientId', init.clientId)
    if (protocol !== 'v2' && protocol !== 'go-v1') throw new TypeError('"protocol" must be v2 or go-v1')
    assertInteger('timeoutMs', timeoutMs, 1, MAX_TIMER_MS)
    assertInteger('maxAttempts', maxAttempts, 1, Number.MAX_SAFE_INTEGER)
    assertInteger('refreshBeforeMs', refreshBeforeMs, 0, 86_400_000)
    assertConnectInit(init.broker)
    const client: BrokerClientInit = {
      broker: init.broker,
      audience: init.audience,
      attestation: init.attestation ?? confidentialSpaceLauncher(),
      protocol,
    }
    const ask = async (want: TokenRequest, signal: AbortSignal) => {
      const wire = protocol === 'v2' ? v2Request(want, clientId) : goV1Claims(want, clientId)
      const answer = await retrying(() => requestCredentials(client, wire, { signal }), { signal, maxAttempts })
      return readToken(answer, { ...want, protocol, clientId, now: clock() })
    }
    const fetch = async (want: TokenRequest, signal: AbortSignal) => {
      try {
        return await withDeadline({ timeoutMs, signal, doing: 'getting a token' }, (until) => ask(want, until))
      } catch (cause) {
        throw asCredentialError(cause, { broker: String(init.broker.url), scope: want.scope })
      }
    }
    this.#tenantId = tenantId
    this.#tokens = createTokenCache({ fetch, refreshBeforeMs, clock, random })
  }

  /**
   * Gives a token for one scope. Azure's clients call this by themselves.
   *
   * Of the options, `abortSignal` and `requestOptions.timeout` end this caller's wait; `tenantId` is sent to the broker, which
   * refuses another tenant than its rule's. `enableCae` changes nothing: the broker never declares the capability `cp1`,
   * so tokens are short-lived and lead to no claims challenge.
   *
   * @param scopes One scope that ends in `/.default`; sent as it is.
   * @throws {EkmCredentialError} its `name` tells chains of credentials whether the next one may try.
   * @throws {Error} named `AbortError`, when `abortSignal` fires.
   */
  async getToken(scopes: string | string[], options: GetTokenOptions = {}): Promise<AccessToken> {
    const { abortSignal, requestOptions } = options
    if (abortSignal?.aborted) throw abortError()
    const want = readTokenRequest(scopes, options, this.#tenantId)
    return this.#tokens(want, { abortSignal, timeoutMs: requestOptions?.timeout })
  }
}

const v2Request = ({ scope, tenantId }: TokenRequest, clientId: string | undefined) => ({
  target: 'azure',
  scope,
  ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
  ...(clientId === undefined ? {} : { client_id: clientId }),
})

/** The claims of `token_jwt`. The Go program too leaves out what it was not told. */
const goV1Claims = ({ scope, tenantId }: TokenRequest, clientId: string | undefined) => ({
  ...(tenantId === undefined ? {} : { tenant: tenantId }),
  ...(clientId === undefined ? {} : { appid: clientId }),
  scope,
})

function readGuid(name: string, value: string | undefined): string | undefined {
  if (value !== undefined && !GUID.test(value)) throw new TypeError(`"${name}" must be a GUID`)
  return value?.toLowerCase()
}

function assertInteger(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`"${name}" must be ${least} to ${most}, got ${value}`)
  }
}
