import type { AssumeRoleInput } from '@hardbound/sigv4-hmac/sts'
import { withDeadline } from '@hardbound/sigv4-hmac/transport'
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types'
import { assumeNextRole } from './assume-role.ts'
import { type CreateSessionInit, prepareSession } from './create-session.ts'
import { RolesAnywhereError } from './errors.ts'

/** What {@link fromRolesAnywhere} needs. */
export interface FromRolesAnywhereInit extends CreateSessionInit {
  /** A further role to assume with the session, by AWS's own names. `DurationSeconds` is 900 to 3600: AWS's limit for role chaining. */
  assumeRole?: AssumeRoleInput | undefined
  /** Where `assumeRole` is sent in place of AWS's STS of the region. */
  stsEndpoint?: string | undefined
}

const OPTIONS: ReadonlySet<string> = new Set<keyof FromRolesAnywhereInit>([
  'identity',
  'trustAnchorArn',
  'profileArn',
  'roleArn',
  'durationSeconds',
  'roleSessionName',
  'region',
  'endpoint',
  'dangerouslyAllowPlaintextEndpoint',
  'useFipsEndpoint',
  'useDualstackEndpoint',
  'ca',
  'proxy',
  'certificateRules',
  'answerRules',
  'warnBeforeExpirySeconds',
  'timeoutMs',
  'maxAttempts',
  'onWarning',
  'clock',
  'assumeRole',
  'stsEndpoint',
])

/**
 * Makes an AWS credential provider for a machine that has an X.509 certificate. The SDK client caches and refreshes what it
 * returns; callers that arrive together share one session. The identity is asked anew for each session, and is not closed.
 *
 * @returns A provider that throws {@link RolesAnywhereError}, and `StsError` of `assumeRole`.
 * @throws {TypeError | RangeError} on an option that can't be right, is not known, or goes against another.
 */
export function fromRolesAnywhere(init: FromRolesAnywhereInit): AwsCredentialIdentityProvider {
  const unknown = Object.keys(init).find((name) => !OPTIONS.has(name))
  if (unknown !== undefined) {
    throw new TypeError(`fromRolesAnywhere has no option ${JSON.stringify(unknown.slice(0, 64))}`)
  }
  const { assumeRole, timeoutMs = 30_000 } = init
  const request = prepareSession(init)
  if (assumeRole === undefined) {
    if (init.stsEndpoint !== undefined) throw new TypeError('"stsEndpoint" goes with "assumeRole"')
    return shareInFlight(async () => {
      const { expirationText: _, assumedRoleArn: __, subjectArn: ___, ...identity } = await request()
      return identity
    })
  }
  assertChaining(assumeRole)
  const deadline = {
    timeoutMs,
    onTimeout: () =>
      new RolesAnywhereError('ERR_RA_TIMEOUT', `no session of ${assumeRole.RoleArn} within ${timeoutMs} ms`),
    onAbort: () => new RolesAnywhereError('ERR_RA_ABORTED', 'aborted'),
  }
  return shareInFlight(() => withDeadline(deadline, (signal) => chained(init, assumeRole, request, signal)))
}

async function chained(
  init: FromRolesAnywhereInit,
  input: AssumeRoleInput,
  request: ReturnType<typeof prepareSession>,
  signal: AbortSignal,
): Promise<AwsCredentialIdentity> {
  const { assumedRoleArn: _, ...identity } = await assumeNextRole(
    await request({ signal }),
    {
      input,
      region: regionOf(init),
      endpoint: init.stsEndpoint,
      useFipsEndpoint: init.stsEndpoint === undefined ? init.useFipsEndpoint : undefined,
      useDualstackEndpoint: init.stsEndpoint === undefined ? init.useDualstackEndpoint : undefined,
      ca: init.ca,
      proxy: init.proxy,
      timeoutMs: init.timeoutMs ?? 30_000,
      maxAttempts: init.maxAttempts,
      clock: init.clock ?? Date.now,
    },
    { signal },
  )
  return identity
}

const regionOf = ({ region, trustAnchorArn }: FromRolesAnywhereInit): string =>
  (region ?? trustAnchorArn.split(':')[3] ?? '').replace(/^fips-|-fips$/, '')

function assertChaining({ RoleArn, DurationSeconds = 3600 }: AssumeRoleInput): void {
  if (typeof RoleArn !== 'string' || !/^arn:aws[a-z-]{0,20}:iam::\d{12}:role\/[\x21-\x7e]{1,575}$/.test(RoleArn)) {
    throw new TypeError('"assumeRole.RoleArn" must be the ARN of an IAM role')
  }
  if (!Number.isInteger(DurationSeconds) || DurationSeconds < 900 || DurationSeconds > 3600) {
    throw new RangeError('"assumeRole.DurationSeconds" must be 900 to 3600: AWS has an hour at most for chained roles')
  }
}

/** Callers that arrive while one request is under way get its outcome. Nothing is kept afterwards. */
function shareInFlight(fetch: () => Promise<AwsCredentialIdentity>): AwsCredentialIdentityProvider {
  let inFlight: Promise<AwsCredentialIdentity> | undefined
  return () => {
    inFlight ??= fetch().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }
}
