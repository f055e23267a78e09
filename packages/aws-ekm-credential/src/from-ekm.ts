import { assertConnectInit, withDeadline } from '@hardbound/ekm-tls'
import {
  type AttestationSource,
  type BrokerClientInit,
  confidentialSpaceLauncher,
  requestCredentials,
  retrying,
} from '@hardbound/ekm-tls/client'
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types'
import { EkmCredentialError } from './errors.ts'
import { asCredentialError } from './internal/as-credential-error.ts'
import { type GoV1Fields, goV1Claims } from './internal/go-v1-claims.ts'
import { readCredentials } from './internal/read-credentials.ts'

/** What {@link fromEkm} needs to know. */
export interface FromEkmInit {
  /** The broker's `url`, its pinned `ca` or `spkiPins`, and what else the connection needs. */
  broker: BrokerClientInit['broker']
  /** The audience that the broker expects in attestation tokens. */
  audience: string
  /** `arn:aws:iam::<12 digits>:role/<name>`. Left out: the one role that the broker's rules name for this workload. */
  roleArn?: string
  /** Session length in seconds, 900 to 43200; the broker's rule may cap it. Default: 3600. */
  durationSeconds?: number
  /** Where attestation tokens come from. Default: the Confidential Space launcher. */
  attestation?: AttestationSource
  /** `go-v1` talks to the published Go programs. Default: `v2`. */
  protocol?: 'v2' | 'go-v1'
  /** What only Go-v1 sends. */
  goV1?: GoV1Fields
  /**
   * Looks whether the keys are whose they should be, before anybody uses them; throws if not, which is
   * `ERR_EKM_IDENTITY_MISMATCH`. The role in the broker's answer is always checked; {@link callerIdentityCheck} also
   * asks AWS.
   */
  checkIdentity?: (credentials: AwsCredentialIdentity, expected: { roleArn: string | undefined }) => Promise<void>
  /** For everything, retries and `checkIdentity` included, in milliseconds. Default: 30 000. */
  timeoutMs?: number
  /** Tries in all while the broker is unreachable or overloaded. Default: 3. */
  maxAttempts?: number
  /** Milliseconds since the epoch. Default: `Date.now`. */
  clock?: () => number
}

/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2_147_483_647
const ROLE_ARN = /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/

/**
 * Makes an AWS credential provider for a workload in a confidential VM. Each call opens a connection to the broker, has its
 * keying material attested, and brings back short-lived keys for one role. The SDK client caches and refreshes what it
 * returns; callers that arrive together share one attestation.
 *
 * @throws {TypeError | RangeError} on an option that can't be right.
 * @returns A provider that throws {@link EkmCredentialError}.
 */
export function fromEkm(init: FromEkmInit): AwsCredentialIdentityProvider {
  const { roleArn, durationSeconds = 3600, protocol = 'v2', clock = Date.now } = init
  const { checkIdentity, timeoutMs = 30_000, maxAttempts = 3 } = init
  if (typeof init.audience !== 'string' || init.audience === '') throw new TypeError('"audience" is required')
  if (roleArn !== undefined && !ROLE_ARN.test(roleArn)) throw new TypeError('"roleArn" must be the ARN of an IAM role')
  if (!Number.isInteger(durationSeconds) || durationSeconds < 900 || durationSeconds > 43_200) {
    throw new RangeError(`"durationSeconds" must be 900 to 43200, got ${durationSeconds}`)
  }
  if (protocol !== 'v2' && protocol !== 'go-v1') throw new TypeError('"protocol" must be v2 or go-v1')
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > MAX_TIMER_MS) {
    throw new RangeError(`"timeoutMs" must be 1 to ${MAX_TIMER_MS}, got ${timeoutMs}`)
  }
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    throw new RangeError(`"maxAttempts" must be 1 or more, got ${maxAttempts}`)
  }
  assertConnectInit(init.broker)
  const client: BrokerClientInit = {
    broker: init.broker,
    audience: init.audience,
    attestation: init.attestation ?? confidentialSpaceLauncher(),
    protocol,
  }
  const want = () =>
    protocol === 'go-v1'
      ? goV1Claims(init.goV1 ?? {}, roleArn, durationSeconds)
      : { target: 'aws', ...(roleArn === undefined ? {} : { role_arn: roleArn }), duration_seconds: durationSeconds }

  const fetchCredentials = async (signal: AbortSignal): Promise<AwsCredentialIdentity> => {
    const answer = await retrying(() => requestCredentials(client, want(), { signal }), { signal, maxAttempts })
    const credentials = readCredentials(answer, { protocol, roleArn, durationSeconds, now: clock() })
    if (checkIdentity !== undefined) await confirm(() => checkIdentity(credentials, { roleArn }))
    return credentials
  }
  return shareInFlight(async () => {
    try {
      return await withDeadline({ timeoutMs, doing: 'getting credentials' }, fetchCredentials)
    } catch (cause) {
      throw asCredentialError(cause, { broker: String(init.broker.url), roleArn })
    }
  })
}

/** Keys that nobody vouched for are not used. */
async function confirm(check: () => Promise<void>): Promise<void> {
  try {
    await check()
  } catch (cause) {
    if (cause instanceof EkmCredentialError) throw cause
    throw new EkmCredentialError('ERR_EKM_IDENTITY_MISMATCH', '"checkIdentity" did not accept the keys', { cause })
  }
}

/** Callers that arrive while one request is under way get its outcome. Nothing is kept afterwards. */
function shareInFlight<T>(fetch: () => Promise<T>): () => Promise<T> {
  let inFlight: Promise<T> | undefined
  return () => {
    inFlight ??= fetch().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }
}
