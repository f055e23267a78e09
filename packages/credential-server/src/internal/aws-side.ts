import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { CredentialServerError } from '../errors.ts'
import type { AwsContainerInit, AwsInit, ServerAddress } from '../types.ts'
import { awsContainerRoute } from './aws-container.ts'
import { awsImdsRoutes } from './aws-imds.ts'
import { type AwsSession, awsRefusal, createAwsSessions } from './aws-session.ts'
import { createImdsTokens } from './imds-tokens.ts'
import { keepFresh } from './keep-fresh.ts'
import type { RefreshingSource } from './refreshing-source.ts'
import { originOf, type Side, type SideInit } from './side.ts'
import { writeTokenFile } from './token-file.ts'

interface Role extends AwsInit {
  readonly source: RefreshingSource<AwsSession>
  readonly session: () => Promise<AwsSession>
  /** From now on, whether or not anybody asks. A second call does nothing. */
  readonly keep: () => void
  readonly form: Required<Pick<AwsContainerInit, 'path' | 'authorizationToken'>> | undefined
}

/** Path of the container form, where its owner chose none. */
export const containerPath = ({ roleName, container }: AwsInit): string => container?.path ?? `/container/${roleName}`

/** IMDSv2 and the container form, over any number of roles. */
export function createAwsSide(aws: readonly AwsInit[], init: SideInit): Side {
  const { uids, closing, clock = () => performance.now() } = init
  setMaxListeners(0, closing) // two a role
  const roles = aws.map((it) => openRole(it, init))
  const listed = roles.filter((it) => it.imds !== false)
  const tokens = createImdsTokens({ users: uids?.size ?? 1, clock })
  return {
    routes: [
      ...(listed.length > 0 ? awsImdsRoutes({ tokens, roles: listed }) : []),
      ...roles.flatMap(({ form, session }) => (form === undefined ? [] : [awsContainerRoute({ ...form, session })])),
    ],
    prepare: async () => {
      await Promise.all(roles.filter((it) => it.lazy !== true).map(firstSession))
    },
    start: async () => {
      const remove: (() => Promise<void>)[] = []
      const undo = async (): Promise<void> => void (await Promise.allSettled(remove.map((it) => it())))
      try {
        for (const role of roles) remove.push(await writeToken(role))
      } catch (error) {
        await undo()
        throw error
      }
      for (const role of roles) if (role.lazy !== true) role.keep()
      return undo
    },
    health: () =>
      roles.map(({ roleName, source }) => {
        const { expiresAt, isFailing } = source.state()
        return { roleName, isFailing, ...(expiresAt === undefined ? {} : { expiresAt }) }
      }),
    environment: (address, roleName) => environmentOf(address, roles, roleName),
  }
}

function openRole(
  aws: AwsInit,
  { limits = {}, clock = Date.now, random = Math.random, closing, emit }: SideInit,
): Role {
  const source = createAwsSessions(aws, {
    timeoutMs: limits.credentialTimeoutMs ?? 15_000,
    clock,
    random,
    closing,
    onFailure: ({ status, reason, options: { code } }, roleName) =>
      emit({ type: 'refresh-failed', reason, status, roleName, ...(code === undefined ? {} : { code }) }),
  })
  let isKept = false
  const keep = (): void => {
    if (!isKept) keepFresh(source, closing)
    isKept = true
  }
  const session = async (): Promise<AwsSession> => {
    keep()
    try {
      return await source.get()
    } catch (error) {
      throw awsRefusal(error, Math.ceil(source.cooldownMs() / 1000))
    }
  }
  const authorizationToken = aws.container?.authorizationToken ?? randomBytes(32).toString('base64url')
  const form = aws.container && { path: containerPath(aws), authorizationToken }
  return { ...aws, source, session, keep, form }
}

async function firstSession({ source, roleName }: Role): Promise<void> {
  try {
    await source.get()
  } catch (cause) {
    const { message } = awsRefusal(cause)
    throw new CredentialServerError('ERR_SERVER_CREDENTIAL', `no session of ${roleName}: ${message}`, { cause })
  }
}

async function writeToken({ form, container }: Role): Promise<() => Promise<void>> {
  if (form === undefined || container?.tokenFile === undefined) return async () => {}
  try {
    return await writeTokenFile(container.tokenFile, form.authorizationToken)
  } catch (cause) {
    throw new CredentialServerError('ERR_SERVER_TOKEN_FILE', `can't write ${container.tokenFile}`, { cause })
  }
}

function environmentOf(
  address: ServerAddress,
  roles: readonly Role[],
  roleName: string | undefined,
): Record<string, string> {
  const origin = originOf(address)
  const role = roleName === undefined ? roles[0] : roles.find((it) => it.roleName === roleName)
  const isListed = role !== undefined && role === roles.find((it) => it.imds !== false)
  const { form, container } = role ?? {}
  if (!isListed && form === undefined) {
    throw new TypeError(`no variable leads to ${roleName ?? 'a role'}: IMDS lists another, and it has no "container"`)
  }
  return {
    ...(isListed
      ? {
          AWS_EC2_METADATA_SERVICE_ENDPOINT: `${origin}/`,
          AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: address.host.includes(':') ? 'IPv6' : 'IPv4',
        }
      : {}),
    ...(form === undefined
      ? {}
      : {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: `${origin}${form.path}`,
          ...(container?.tokenFile === undefined
            ? { AWS_CONTAINER_AUTHORIZATION_TOKEN: form.authorizationToken }
            : { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: container.tokenFile }),
        }),
  }
}
