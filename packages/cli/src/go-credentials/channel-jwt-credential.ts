import { createSecureContext } from 'node:tls'
import { fromEkm } from '@hardbound/aws-ekm-credential'
import { confidentialSpaceLauncher } from '@hardbound/ekm-tls/client'
import { CliError } from '../cli-error.ts'
import { fileOf, given, inWordsOfFlags } from '../internal/flags.ts'
import type { ProcessCredential } from '../internal/process-credential.ts'
import type { GoValues } from './go-flags.ts'
import { type GoHints, VERSION_FLAG } from './run-go-command.ts'

/** Flags of `aws-channel-jwt-process-credential`, and `-version`, which it does not have. */
export const CHANNEL_JWT_FLAGS = {
  ...VERSION_FLAG,
  host: { type: 'string', usage: 'host:port of the broker to connect to (required)' },
  endpoint: { type: 'string', usage: 'https:// URL at the broker to post to (required)' },
  audience: { type: 'string', usage: 'audience that the broker expects in attestation tokens (required)' },
  'sts-sni': { type: 'string', usage: "name that the broker's certificate must be for (default: the host of -host)" },
  'trust-ca': { type: 'string', usage: 'PEM file of the authorities to trust at the broker, and no others (required)' },
  'use-mtls': { type: 'bool', usage: 'show the certificate of -cert' },
  cert: { type: 'string', usage: 'PEM file of the client certificate, with -use-mtls' },
  key: { type: 'string', usage: 'PEM file of its key, with -use-mtls' },
  attestation_token_path: {
    type: 'string',
    usage: 'UNIX socket of the launcher that attestation tokens come from',
    default: '/run/container_launcher/teeserver.sock',
  },
  duration: { type: 'uint', usage: 'seconds that the session lasts, 900 to 43200', default: 900 },
  'aws-region': { type: 'string', usage: 'sent to the broker' },
  'aws-access-key-id': { type: 'string', usage: 'sent to the broker' },
  'aws-arn': { type: 'string', usage: 'ARN of the role, required with -use-assume-role' },
  'aws-session-name': {
    type: 'string',
    usage: 'name of the session of a role, sent to the broker (default gcp- and a random UUID)',
  },
  'use-assume-role': { type: 'bool', usage: 'ask for a session of the role of -aws-arn' },
} as const

/** Names of options of `fromEkm`, as flags. */
const FLAG_OF: Readonly<Record<string, string>> = {
  url: '-endpoint',
  address: '-host',
  serverName: '-sts-sni',
  ca: '-trust-ca',
  roleArn: '-aws-arn',
  durationSeconds: '-duration',
  cert: '-cert',
  key: '-key',
}

/** Keys from a broker that speaks what the published Go programs speak. */
export async function channelJwtCredential(
  values: GoValues<typeof CHANNEL_JWT_FLAGS>,
  hints: GoHints,
): Promise<ProcessCredential> {
  for (const name of ['host', 'endpoint', 'audience', 'trust-ca'] as const) {
    if (values[name] === '') throw new CliError(`-${name} is required`)
  }
  const { host, 'aws-session-name': sessionName, 'use-assume-role': useAssumeRole } = values
  if (useAssumeRole && values['aws-arn'] === '') throw new CliError('-use-assume-role needs -aws-arn')
  if (useAssumeRole && sessionName === '' && hints.given.has('aws-session-name')) {
    throw new CliError('-use-assume-role needs a name in -aws-session-name')
  }
  const certificate = values['use-mtls'] ? certificateOf(values) : {}
  const init = {
    broker: {
      url: values.endpoint,
      address: host,
      serverName: values['sts-sni'] || host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1'),
      ...given('ca', fileOf('-trust-ca', values['trust-ca'])),
      ...certificate,
    },
    audience: values.audience,
    attestation: confidentialSpaceLauncher({ socketPath: values.attestation_token_path }),
    protocol: 'go-v1' as const,
    durationSeconds: values.duration,
    ...given('roleArn', values['aws-arn'] || undefined),
    goV1: {
      accessKeyId: values['aws-access-key-id'],
      region: values['aws-region'],
      useAssumeRole,
      ...given('sessionName', sessionName || undefined),
    },
  }
  try {
    return await fromEkm(init)()
  } catch (cause) {
    return inWordsOfFlags(cause, FLAG_OF)
  }
}

/** @throws {CliError} where they are no pair: the connection would only fail in the middle. */
function certificateOf(files: { readonly cert: string; readonly key: string }): { cert: Buffer; key: Buffer } {
  for (const name of ['cert', 'key'] as const) if (files[name] === '') throw new CliError(`-use-mtls needs -${name}`)
  const [cert, key] = [fileOf('-cert', files.cert), fileOf('-key', files.key)] as [Buffer, Buffer]
  try {
    createSecureContext({ cert, key })
  } catch (cause) {
    throw new CliError('-cert and -key are not a certificate and its key, in PEM', { cause })
  }
  return { cert, key }
}
