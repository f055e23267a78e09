import type https from 'node:https'
import { orAborted } from '@hardbound/ekm-tls'
import type { AzureClientCredential } from '../azure-credentials.ts'
import { signClientAssertion } from '../client-assertion.ts'
import { BrokerError } from '../errors.ts'
import { type EntraGrant, toEntraGrant } from './entra-answer.ts'
import { type EntraEndpoint, type EntraToken, EntraTransportError } from './entra-call.ts'
import { isWorthAnotherTry, refusal, signerFailure, silence } from './entra-errors.ts'
import { type EntraClientProof, loadSdk, requestToken } from './entra-msal.ts'
import { postForm } from './entra-post.ts'

/** An application that tokens can be had for. */
export interface EntraApplication extends EntraEndpoint {
  readonly credential: AzureClientCredential
}

export interface EntraExchangeInit {
  readonly agent: https.Agent
  readonly attemptTimeoutMs: number
  readonly clock: () => number
}

const MAX_ATTEMPTS = 2
const SECRET = /^[\x21-\x7e]{1,1024}$/
const JWS = /^[\w-]{1,4096}\.[\w-]{1,16384}\.[\w-]{1,4096}$/

/**
 * Asks Entra for a token; once more where nobody answered or Entra failed. Each time anew with a secret or an assertion: a `jti` is
 * for one request.
 *
 * @throws {BrokerError}
 */
export async function exchange(
  application: EntraApplication,
  scope: string,
  signal: AbortSignal,
  init: EntraExchangeInit,
): Promise<EntraToken> {
  for (let attempts = 1; ; attempts++) {
    try {
      const token = await attempt(application, scope, signal, init)
      return { ...token, audit: { ...token.audit, attempts } }
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      if (attempts < MAX_ATTEMPTS && isWorthAnotherTry(error) && !signal.aborted) continue
      const { code, reason, retryAfterSeconds, facts } = error
      const retry = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
      throw new BrokerError(code, reason, { ...retry, facts: { ...facts, attempts } })
    }
  }
}

async function attempt(
  application: EntraApplication,
  scope: string,
  signal: AbortSignal,
  { agent, attemptTimeoutMs, clock }: EntraExchangeInit,
): Promise<EntraToken> {
  const proof = await prove(application, signal, clock)
  const sdk = await loadSdk()
  const seen: { outcome?: EntraGrant | BrokerError } = {} // what MSAL is not told, or does not pass on
  const obtainedAt = Math.floor(clock() / 1000) // before it is asked: the token can only end later than we say
  const post = async (form: string): Promise<Uint8Array> => {
    try {
      const answer = await postForm(application.tokenUrl, form, { agent, timeoutMs: attemptTimeoutMs, signal })
      if (answer.status !== 200) throw refusal(answer)
      seen.outcome = toEntraGrant(answer, application, scope)
      return answer.body
    } catch (error) {
      seen.outcome = error instanceof EntraTransportError ? silence(error) : (error as BrokerError)
      throw error
    }
  }
  await requestToken(sdk, { endpoint: application, scope, proof, post }).catch(() => undefined) // it would hold Entra's texts
  if (seen.outcome === undefined) throw new BrokerError('internal', 'issuer.msal')
  if (seen.outcome instanceof BrokerError) throw seen.outcome
  const { accessToken, lifetimeSeconds, audit } = seen.outcome
  return { accessToken, obtainedAt, expiresAt: obtainedAt + lifetimeSeconds, audit }
}

/** What the application shows Entra. */
async function prove(
  { clientId, tokenUrl, credential }: EntraApplication,
  signal: AbortSignal,
  clock: () => number,
): Promise<EntraClientProof> {
  try {
    switch (credential.kind) {
      case 'secret': {
        const secret = await orAborted(signal, credential.secret(), 0)
        if (!SECRET.test(secret)) throw new BrokerError('signer_unavailable', 'signer.secret_format')
        return { secret }
      }
      case 'federated': {
        const assertion = await orAborted(signal, credential.assertion(), 0)
        if (!JWS.test(assertion)) throw new BrokerError('signer_unavailable', 'signer.assertion_format')
        return { assertion }
      }
      case 'certificate':
        return {
          assertion: await orAborted(
            signal,
            signClientAssertion({ ...credential, clientId, tokenUrl, clock, signal }),
            0,
          ),
        }
    }
  } catch (error) {
    if (error instanceof BrokerError) throw error
    if (signal.aborted) throw new BrokerError('signer_unavailable', 'signer.timeout')
    throw signerFailure(error)
  }
}
