import type { AssumeRoleInput, StsSession } from '@hardbound/sigv4-hmac/sts'
import type { ConnectionInit } from '@hardbound/sigv4-hmac/transport'
import type { RolesAnywhereSession } from './response.ts'

/** A further role, that is assumed with a session of Roles Anywhere. */
export interface NextRole extends ConnectionInit {
  readonly input: AssumeRoleInput
  readonly region: string
  readonly endpoint: string | undefined
  readonly useFipsEndpoint: boolean | undefined
  readonly useDualstackEndpoint: boolean | undefined
  /** Milliseconds that are left. */
  readonly timeoutMs: number
  readonly maxAttempts: number | undefined
  readonly clock: () => number
}

/**
 * Assumes a role with the keys of a session, which are forgotten afterwards.
 *
 * @throws {StsError} and {TypeError | RangeError} on an input that can't be right.
 * @see {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining AWS IAM, "Role chaining"}
 */
export async function assumeNextRole(
  { accessKeyId, secretAccessKey, sessionToken }: RolesAnywhereSession,
  { input, ...init }: NextRole,
  options: { signal: AbortSignal },
): Promise<StsSession> {
  const { createStsClient } = await import('@hardbound/sigv4-hmac/sts')
  const { softwareHmac } = await import('@hardbound/sigv4-hmac')
  const backend = softwareHmac({ secretAccessKey })
  try {
    // What the client calls dangerous is an endpoint at http://127.0.0.1, as every `endpoint` here may be.
    const sts = { ...init, dangerouslyAllowPlaintextEndpoint: true, backend, accessKeyId, sessionToken }
    return await createStsClient(sts).assumeRole(input, options)
  } finally {
    await backend.close()
  }
}
