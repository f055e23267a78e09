import { randomUUID } from 'node:crypto'
import { fromHmac } from '@hardbound/sigv4-hmac'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { stsEndpoint } from '@hardbound/sigv4-hmac/sts'
import { CliError } from '../cli-error.ts'
import { environmentProxy } from '../internal/environment-proxy.ts'
import { fileOf, given, inWordsOfFlags } from '../internal/flags.ts'
import type { ProcessCredential } from '../internal/process-credential.ts'
import type { GoValues } from './go-flags.ts'

/** Flags of a session of STS. */
export const SESSION_FLAGS = {
  'aws-access-key-id': { type: 'string', usage: 'access key id of the IAM user whose secret the key is (required)' },
  'aws-region': { type: 'string', usage: 'region whose STS to ask (required)' },
  'aws-arn': { type: 'string', usage: 'ARN of the role, with -assumeRole' },
  'aws-session-name': {
    type: 'string',
    usage: 'name of the session of a role, with -assumeRole (default gcp- and a random UUID)',
  },
  assumeRole: { type: 'bool', usage: 'assume the role of -aws-arn; else a session of the user itself' },
  duration: { type: 'uint', usage: 'seconds that the session lasts', default: 3600 },
} as const

/** Names of options of `fromHmac`, as flags. */
const FLAG_OF: Readonly<Record<string, string>> = {
  accessKeyId: '-aws-access-key-id',
  region: '-aws-region',
  RoleArn: '-aws-arn',
  RoleSessionName: '-aws-session-name',
  DurationSeconds: '-duration',
  endpoint: 'AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL',
  ca: 'AWS_CA_BUNDLE',
  proxy: 'HTTPS_PROXY',
}

/**
 * Makes what asks STS for the session that flags and environment say; checks them before the key is touched.
 *
 * @param timeoutMs For everything, the key included.
 * @throws {CliError}
 */
export function stsSession(
  values: GoValues<typeof SESSION_FLAGS>,
  typed: ReadonlySet<string>,
  backend: HmacBackend,
  timeoutMs: number,
): () => Promise<ProcessCredential> {
  for (const name of ['aws-access-key-id', 'aws-region'] as const) {
    if (values[name] === '') throw new CliError(`-${name} is required`)
  }
  try {
    const region = values['aws-region']
    const endpoint = endpointOf(process.env)
    return fromHmac({
      backend,
      accessKeyId: values['aws-access-key-id'],
      region,
      timeoutMs,
      ...endpoint,
      ...given(
        'proxy',
        environmentProxy(() => new URL(stsEndpoint({ region, ...endpoint }).url), process.env),
      ),
      ...askedOf(values, typed),
    })
  } catch (cause) {
    return inWordsOfFlags(cause, FLAG_OF)
  }
}

function askedOf(values: GoValues<typeof SESSION_FLAGS>, given: ReadonlySet<string>) {
  const DurationSeconds = values.duration
  if (!values.assumeRole) return { getSessionToken: { DurationSeconds } }
  const RoleSessionName = given.has('aws-session-name') ? values['aws-session-name'] : `gcp-${randomUUID()}`
  return { assumeRole: { RoleArn: values['aws-arn'], RoleSessionName, DurationSeconds } }
}

/** Where STS is, if the environment says so to all AWS programs. */
function endpointOf(env: NodeJS.ProcessEnv) {
  const ca = fileOf('AWS_CA_BUNDLE', env.AWS_CA_BUNDLE || undefined)
  const ignored = env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === 'true'
  const endpoint = ignored ? undefined : env.AWS_ENDPOINT_URL_STS || env.AWS_ENDPOINT_URL || undefined
  if (endpoint === undefined) return given('ca', ca)
  const here = /^http:\/\/(?:127\.0\.0\.1|localhost)(:\d+)?\/?$/i.exec(endpoint)
  if (here === null && !/^https:\/\//i.test(endpoint)) {
    throw new CliError(`${FLAG_OF.endpoint} must begin with https://, or be on 127.0.0.1`) // the session token comes from there
  }
  if (here === null) return { ...given('ca', ca), endpoint }
  return { endpoint: `http://127.0.0.1${here[1] ?? ''}`, dangerouslyAllowPlaintextEndpoint: true }
}
