import { randomUUID } from 'node:crypto'
import { AttestationError, type AttestationVerifier, type VerifiedAttestation } from '@hardbound/attestation-verify'
import { type Channel, orAborted } from '@hardbound/ekm-tls'
import { attestationFacts, type Facts, grantFacts, peerFacts } from './audit-facts.ts'
import { assertBound, expectedNonces } from './bind.ts'
import { BrokerError } from './errors.ts'
import { type ParsedRequest, parseGoV1Request, parseV2Request } from './request.ts'
import type { AuditSink, CredentialIssuer, IssuedCredential, Peer, Policy, Protocol } from './types.ts'

/** What a broker is made of. */
export interface BrokerInit {
  /** Turns tokens into claims; several issuers are one verifier by `createAttestationVerifiers`. */
  verifier: AttestationVerifier
  policy: Policy
  /** One for each target. */
  issuers: readonly CredentialIssuer[]
  audit: AuditSink
  /** The one audience that attestation tokens must name; unique to this broker. */
  audience: string
  /** Serves the published Go programs too. Default: off. */
  goV1?: {
    /** Their audience. Default: the broker's. */
    audience?: string
  }
}

/** One request on one connection. */
export interface GrantCall {
  readonly requestId: string
  readonly protocol: Protocol
  readonly body: Uint8Array
  /** The connection's channel for this protocol's exporter, as captured when the handshake ended. */
  readonly channel: Channel
  readonly peer: Peer
  /** Tokens this connection has already used, as hex; one set for the life of the connection. */
  readonly usedTokens: Set<string>
  /** Fires when the client has left or the time is up. */
  readonly signal: AbortSignal
}

/** What to answer. */
export type GrantOutcome = { readonly granted: IssuedCredential } | { readonly refused: BrokerError }

/** Answers attested requests. */
export interface Broker {
  /** Whether the Go-v1 route is on. */
  readonly goV1: boolean
  /** Request to credentials, or to a refusal. Never throws; when it settles, the audit record is durable. */
  grant(call: GrantCall): Promise<GrantOutcome>
  /** Audits a refusal that was decided outside (routing, limits); gives back the refusal to answer with. */
  refuse(error: BrokerError, facts: Facts): Promise<BrokerError>
  /** What is missing before grants can succeed; empty when ready. */
  notReady(): readonly ('audit' | 'attestation_keys')[]
}

/** A fresh request id: also what a client tells its operator. */
export const newRequestId = (): string => randomUUID()

/** Makes a broker of a verifier, a policy, issuers and an audit sink. */
export function createBroker(init: BrokerInit): Broker {
  const { verifier, policy, audit } = init
  const issuers = new Map(init.issuers.map((issuer) => [issuer.target, issuer]))
  const audiences = { v2: init.audience, 'go-v1': init.goV1?.audience ?? init.audience }

  /** The protocol, step by step; `facts` grows so that a refusal's record says how far it came. */
  async function steps(call: GrantCall, facts: Facts): Promise<IssuedCredential> {
    // 1. Read the request, and work out which nonces only this connection and this request can have.
    const parsed = parse(call)
    const nonces = expectedNonces(call.protocol, call.channel, parsed.bound)
    facts.target = parsed.want.target
    // 2. Verify the attestation.
    const attestation = await verify(parsed, audiences[call.protocol], call.signal)
    Object.assign(facts, attestationFacts(attestation))
    // 3. Bind it to the connection and to the request; an attestation serves once.
    assertBound(attestation.nonces, nonces)
    if (call.usedTokens.has(attestation.tokenSha256)) throw new BrokerError('replayed', 'binding.replayed')
    call.usedTokens.add(attestation.tokenSha256)
    // 4. Ask the policy.
    const decision = policy.decide({ attestation, request: parsed.want, peer: call.peer, protocol: call.protocol })
    if (!decision.allow) throw new BrokerError(decision.code, decision.reason)
    Object.assign(facts, { rule: decision.rule }, grantFacts(decision.grant))
    const issuer = issuers.get(decision.grant.target)
    if (issuer === undefined) throw new BrokerError('policy_denied', 'grant.no_issuer')
    // 5. Nothing is asked upstream unless it can be recorded.
    await audit.append({ event: 'intent', ...facts })
    call.signal.throwIfAborted()
    // 6. Issue.
    const issued = await orAborted(
      call.signal,
      issuer.issue(decision.grant, { requestId: call.requestId, signal: call.signal }),
    ).catch(upstreamSilent(call.signal))
    Object.assign(facts, issued.audit)
    // 7. Nothing leaves unless it is recorded.
    await audit.append({ event: 'grant', ...facts, expires_at: issued.expiresAt })
    return call.protocol === 'go-v1' ? { ...issued, body: goV1Body(issuer.target, issued) } : issued
  }

  async function verify(parsed: ParsedRequest, audience: string, signal: AbortSignal): Promise<VerifiedAttestation> {
    try {
      return await orAborted(signal, verifier.verify(parsed.attestation, { audience }, { signal }))
    } catch (cause) {
      if (signal.aborted) throw cause
      throw attestationRefusal(cause)
    }
  }

  async function refuse(error: BrokerError, facts: Facts): Promise<BrokerError> {
    try {
      const event = OUTCOMES.get(error.reason) ?? 'deny'
      const { code, reason } = error
      await audit.append({ ...facts, ...error.facts, event, code, reason, policy_version: policy.version })
      return error
    } catch (cause) {
      return new BrokerError('audit_unavailable', 'audit.write', { cause, retryAfterSeconds: 5 })
    }
  }

  return {
    goV1: init.goV1 !== undefined,
    async grant(call) {
      const facts: Facts = {
        requestId: call.requestId,
        protocol: call.protocol,
        policy_version: policy.version,
        ...peerFacts(call.peer),
      }
      try {
        return { granted: await steps(call, facts) }
      } catch (cause) {
        return { refused: await refuse(brokerError(cause, call.signal), facts) }
      }
    },
    refuse,
    notReady: () => [
      ...(audit.ready() ? [] : (['audit'] as const)),
      ...(verifier.ready() ? [] : (['attestation_keys'] as const)),
    ],
  }
}

/** Refusals that are more than a `deny`: upstream was asked, and what it did is not known here. */
const OUTCOMES = new Map<string, 'unknown_outcome' | 'abandoned'>([
  ['upstream.unknown_outcome', 'unknown_outcome'],
  ['abandoned', 'abandoned'],
])

const parse = (call: GrantCall): ParsedRequest =>
  call.protocol === 'v2' ? parseV2Request(call.body) : parseGoV1Request(call.body, call.channel.ekm)

/** An issuer that did not obey its signal: nobody knows what upstream did. */
const upstreamSilent =
  (signal: AbortSignal) =>
  (cause: unknown): never => {
    if (signal.aborted && cause === signal.reason) throw new BrokerError('upstream_timeout', 'upstream.unknown_outcome')
    throw cause
  }

/** The Go programs know five fields of AWS credentials, and for Azure call the time of expiry `expires_in`. */
function goV1Body(target: string, { body, expiresAt }: IssuedCredential): IssuedCredential['body'] {
  if (target === 'azure') {
    return { expires_in: new Date(expiresAt * 1000).toISOString(), access_token: body.access_token ?? '' }
  }
  const { AssumedRoleArn: _, ...known } = body
  return known
}

/** `jwt.*` and `pki.*`: not an authentic token for us, 401. `claim.*`: authentic, and not acceptable, 403. */
function attestationRefusal(cause: unknown): BrokerError {
  if (!(cause instanceof AttestationError)) return new BrokerError('internal', 'attestation.internal', { cause })
  if (cause.code === 'ERR_ATTESTATION_KEYS_UNAVAILABLE') {
    return new BrokerError('jwks_unavailable', 'jwks.unavailable', { cause, retryAfterSeconds: 10 })
  }
  const check = cause.check ?? 'jwt.format'
  if (check === 'jwt.size') return new BrokerError('payload_too_large', check, { cause })
  return new BrokerError(check.startsWith('claim.') ? 'policy_denied' : 'attestation_rejected', check, { cause })
}

/** Whatever went wrong, as one of the public codes. */
function brokerError(cause: unknown, signal: AbortSignal): BrokerError {
  if (cause instanceof BrokerError) return cause
  if (signal.aborted)
    return new BrokerError('request_timeout', isTimeout(signal) ? 'grant.deadline' : 'abandoned', { cause })
  return new BrokerError('internal', 'internal', { cause })
}

const isTimeout = ({ reason }: AbortSignal): boolean => reason instanceof DOMException && reason.name === 'TimeoutError'
