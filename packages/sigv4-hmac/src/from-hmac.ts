import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types'
import { type StsClientInit, stsRequests } from './sts-client.ts'
import type { AssumeRoleInput, GetSessionTokenInput } from './sts-input.ts'

/** {@link FromHmacInit} without what is asked of STS. */
export interface FromHmacCommon extends Omit<StsClientInit, 'sessionToken'> {}

/** What {@link fromHmac} needs: at most one of `assumeRole` and `getSessionToken`. Without either: GetSessionToken. */
export type FromHmacInit = FromHmacCommon &
  (
    | { assumeRole: AssumeRoleInput; getSessionToken?: never }
    | { assumeRole?: never; getSessionToken?: GetSessionTokenInput }
  )

const OPTIONS: ReadonlySet<string> = new Set([
  'backend',
  'accessKeyId',
  'region',
  'endpoint',
  'dangerouslyAllowPlaintextEndpoint',
  'useFipsEndpoint',
  'useDualstackEndpoint',
  'ca',
  'proxy',
  'timeoutMs',
  'maxAttempts',
  'clock',
  'assumeRole',
  'getSessionToken',
])

/**
 * Makes an AWS credential provider of sessions that are asked for with a key in a backend. The SDK client caches and refreshes
 * what it returns; callers that arrive together share one session.
 *
 * @returns A provider that throws {@link StsError}, and what the backend throws.
 * @throws {TypeError | RangeError} on an option that can't be right, is not known, or goes against another.
 */
export function fromHmac(init: FromHmacInit): AwsCredentialIdentityProvider {
  const unknown = Object.keys(init).find((name) => !OPTIONS.has(name))
  if (unknown !== undefined) throw new TypeError(`fromHmac has no option ${JSON.stringify(unknown.slice(0, 64))}`)
  const { assumeRole, getSessionToken } = init as {
    assumeRole?: AssumeRoleInput
    getSessionToken?: GetSessionTokenInput
  }
  if (assumeRole !== undefined && getSessionToken !== undefined) {
    throw new TypeError('"assumeRole" and "getSessionToken" are two ways: choose one')
  }
  const requests = stsRequests(init)
  const ask = assumeRole === undefined ? requests.getSessionToken(getSessionToken) : requests.assumeRole(assumeRole)
  return shareInFlight(async () => {
    const { assumedRoleArn: _, ...identity } = await ask()
    return identity
  })
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
