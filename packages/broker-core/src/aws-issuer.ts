import type { AssumeRoleCommandInput, STSClientConfig } from '@aws-sdk/client-sts'
import { BrokerError } from './errors.ts'
import { createGate } from './internal/gate.ts'
import { toIssuedCredential } from './internal/sts-answer.ts'
import { type StsAbortReason, type StsCall, StsTransportError } from './internal/sts-call.ts'
import { createStsClients } from './internal/sts-clients.ts'
import { toBrokerError } from './internal/sts-errors.ts'
import type { AuditRecord, AwsGrant, CredentialIssuer, Grant, IssuedCredential } from './types.ts'

export interface AwsIssuerInit {
  /** AWS regions. The first one's STS is asked; the second is tried once where the first can't be connected to. */
  readonly regions: readonly [string, ...string[]]
  /**
   * In place of AWS's regional endpoints: a VPC endpoint, or an emulator. `https:`, or `http:` on the loopback.
   * It is the only way to choose one: `AWS_ENDPOINT_URL` and proxy variables are not read.
   */
  readonly endpoint?: string | ((region: string) => string)
  /** Lets `endpoint` be `http:` off the loopback: credentials then cross the network in the clear. */
  readonly allowPlaintextEndpoint?: boolean
  /** CA certificates in PEM that `endpoint` is verified with, in place of Node's. */
  readonly ca?: string
  /** The broker's own AWS identity. Default: the SDK's provider chain. */
  readonly credentials?: NonNullable<STSClientConfig['credentials']>
  /**
   * What signs with that identity in place of the SDK, so that its key can stay in hardware:
   * `hmacSignerConstructor(backend)` of `@hardbound/sigv4-hmac`.
   */
  readonly signerConstructor?: NonNullable<STSClientConfig['signerConstructor']>
  /** Calls to STS at a time; further ones wait. Default: 32. */
  readonly maxConcurrency?: number
  /** Calls that may wait; beyond it `overloaded`. Default: 128. */
  readonly maxQueue?: number
  /** Milliseconds for one HTTP request. Default: 3000. */
  readonly attemptTimeoutMs?: number
  /** Milliseconds for everything, retries and queue included. Default: 10000. */
  readonly deadlineMs?: number
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: () => number
  /** Told of credentials that STS made after their call was given up; nobody has them, they expire by themselves. */
  readonly onOrphan?: (record: AuditRecord) => void
}

export interface AwsIssuer extends CredentialIssuer {
  /** Closes idle connections to STS, and cuts busy ones. */
  close(): void
}

/**
 * Issues AWS credentials by STS `AssumeRole`, or `GetSessionToken` where the grant says so.
 *
 * `issue` rejects with a {@link BrokerError}: `upstream_rejected` (STS said no, or its answer does not fit the grant),
 * `signer_unavailable` (our own AWS identity fails), `upstream_unavailable`, `upstream_timeout`, `overloaded`.
 * The reason `upstream.unknown_outcome` means that credentials may exist; `abandoned`, that the signal fired for
 * another reason than a `TimeoutError`.
 *
 * @throws {TypeError} for a region or endpoint that can't be one.
 * @throws {RangeError} for a limit that isn't a positive integer.
 */
export function createAwsIssuer(init: AwsIssuerInit): AwsIssuer {
  const { regions, maxConcurrency = 32, maxQueue = 128, attemptTimeoutMs = 3000, deadlineMs = 10_000 } = init
  const { clock = Date.now, onOrphan = () => {}, credentials, signerConstructor, ca } = init
  for (const [name, value] of Object.entries({ maxConcurrency, maxQueue, attemptTimeoutMs, deadlineMs })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`"${name}" must be a positive integer`)
  }
  if (regions.length === 0) throw new TypeError('"regions" must name at least one AWS region')
  const endpointOf = (region: string) => endpointFor(region, init)
  regions.forEach(endpointOf)
  const connectTimeoutMs = Math.min(attemptTimeoutMs, CONNECT_TIMEOUT_MS)
  const clients = createStsClients({
    credentials,
    signerConstructor,
    ca,
    endpointOf,
    attemptTimeoutMs,
    connectTimeoutMs,
  })
  const gate = createGate(maxConcurrency, maxQueue)

  async function ask(grant: AwsGrant, region: string, call: StsCall): Promise<IssuedCredential> {
    const { sdk, client } = await clients.get(region)
    const answer =
      grant.action === 'AssumeRole'
        ? await client.send(new sdk.AssumeRoleCommand(toAssumeRole(grant)), call)
        : await client.send(new sdk.GetSessionTokenCommand({ DurationSeconds: grant.durationSeconds }), call)
    try {
      const { body, expiresAt, audit } = toIssuedCredential(answer, grant, clock() / 1000)
      const { requestId = '' } = answer.$metadata
      const facts = { aws_request_id: requestId, aws_region: region, attempts: call.attempts }
      return { body, expiresAt, audit: { ...audit, ...facts } }
    } catch (cause) {
      call.onRefusedAnswer(answer) // a session exists, and nobody is going to have it
      throw cause
    }
  }

  async function askRegions(grant: AwsGrant, call: StsCall): Promise<IssuedCredential> {
    const first = grant.region ?? regions[0]
    const second = regions.find((region, i) => i > 0 && region !== first)
    call.canFailOver = second !== undefined
    try {
      return await ask(grant, first, call)
    } catch (error) {
      const unreached = error instanceof StsTransportError && error.kind === 'connect'
      if (second === undefined || !unreached || call.abortSignal.aborted) throw error
      return await ask(grant, second, call)
    }
  }

  return {
    target: 'aws',
    async issue(grant, { requestId, signal }) {
      if (!isAwsGrant(grant)) throw new BrokerError('internal', 'issuer.target')
      const controller = new AbortController()
      const abort = (reason: StsAbortReason) => controller.abort(reason)
      const onSignal = () => abort(isTimeout(signal.reason) ? 'deadline' : 'abandoned')
      const call: StsCall = {
        abortSignal: controller.signal,
        action: grant.action,
        attempts: 0,
        canFailOver: false,
        retryAfterSeconds: undefined,
        onLateAnswer: (text) => onOrphan(orphanOf(requestId, ...readOrphan(text))),
        onRefusedAnswer: ({ Credentials: it }) => {
          if (it?.AccessKeyId !== undefined) onOrphan(orphanOf(requestId, it.AccessKeyId, isoOf(it.Expiration)))
        },
      }
      const deadline = setTimeout(abort, deadlineMs, 'deadline')
      signal.addEventListener('abort', onSignal, { once: true })
      if (signal.aborted) onSignal()
      let leave: (() => void) | undefined
      try {
        leave = await gate.enter(call.abortSignal)
        return await Promise.race([askRegions(grant, call), rejectOnAbort(call.abortSignal)])
      } catch (error) {
        throw toBrokerError(error, call)
      } finally {
        leave?.()
        clearTimeout(deadline)
        signal.removeEventListener('abort', onSignal)
      }
    },
    close: () => clients.close(),
  }
}

const CONNECT_TIMEOUT_MS = 1000
const REGION = /^[a-z]{2,8}(?:-[a-z]{2,12}){1,3}-\d{1,2}$/
const LOOPBACK = /^(?:127\.0\.0\.1|\[::1\]|localhost)$/

function endpointFor(region: string, { endpoint, allowPlaintextEndpoint = false }: AwsIssuerInit): string | undefined {
  if (!REGION.test(region)) throw new TypeError('"regions" must be AWS regions, such as "eu-west-1"')
  const text = typeof endpoint === 'function' ? endpoint(region) : endpoint
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plaintextOk = allowPlaintextEndpoint || LOOPBACK.test(url?.hostname ?? '')
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && plaintextOk)) {
    throw new TypeError('"endpoint" must be an https: URL')
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('"endpoint" must have neither user, query nor fragment')
  }
  return text
}

function toAssumeRole(grant: AwsGrant): AssumeRoleCommandInput {
  return {
    RoleArn: grant.roleArn,
    RoleSessionName: grant.roleSessionName,
    DurationSeconds: grant.durationSeconds,
    Policy: grant.sessionPolicy,
    ExternalId: grant.externalId,
    SourceIdentity: grant.sourceIdentity,
    ...(grant.tags.length > 0 ? { Tags: grant.tags.map(({ key, value }) => ({ Key: key, Value: value })) } : {}),
    ...(grant.transitiveTagKeys.length > 0 ? { TransitiveTagKeys: [...grant.transitiveTagKeys] } : {}),
  }
}

function readOrphan(text: string): [accessKeyId: string | undefined, expiration: string | undefined] {
  return [/<AccessKeyId>([A-Z0-9]{16,128})</.exec(text)?.[1], /<Expiration>([\w:.+-]{1,40})</.exec(text)?.[1]]
}

function orphanOf(requestId: string, accessKeyId: string | undefined, expiration: string | undefined): AuditRecord {
  return { event: 'orphan_grant', requestId, aws_access_key_id: accessKeyId?.slice(0, 128), aws_expiration: expiration }
}

const isoOf = (date: Date | undefined): string | undefined =>
  date === undefined || Number.isNaN(date.getTime()) ? undefined : date.toISOString()

const isTimeout = (reason: unknown): boolean => reason instanceof DOMException && reason.name === 'TimeoutError'

const isAwsGrant = (grant: Grant): grant is AwsGrant => grant.target === 'aws'

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new Error('aborted'))
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}
