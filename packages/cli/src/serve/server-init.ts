import type { AwsInit, AzureInit, CredentialServerInit } from '@hardbound/credential-server'
import { CliError, usageError } from '../cli-error.ts'
import { given } from '../internal/flags.ts'
import { messageOf } from '../internal/process-credential.ts'
import type { ConfiguredSource, SourcesConfig } from '../sources/configured-source.ts'
import { type OpenAwsSource, tellingWhy, type Warn } from '../sources/source.ts'

/** Where `aws_signing_helper serve` listens, too. */
const DEFAULT_ADDRESS = '127.0.0.1:9911'

/** Longer than sources take, which have deadlines of their own. */
const CREDENTIAL_TIMEOUT_MS = 60_000

/** What a server is made of, and what gives it all back. */
export interface PreparedServer {
  readonly init: CredentialServerInit
  /** Why a source had no session when it was last asked. May be shown. */
  readonly failures: ReadonlyMap<string, string>
  readonly close: () => Promise<void>
}

/**
 * Opens all sources, so far as flags and files go.
 *
 * @param warn Told the name of the source, too.
 * @throws {CliError}
 */
export async function prepareServer(
  config: SourcesConfig,
  warn: (name: string, message: string) => void,
): Promise<PreparedServer> {
  const address = addressOf(config.listen ?? DEFAULT_ADDRESS)
  if (address.socketPath !== undefined && config.sources.some((it) => it.environmentFile !== undefined)) {
    throw usageError('no environment file can lead to a UNIX socket')
  }
  const aws: AwsInit[] = []
  const azure: AzureInit[] = []
  const opened: OpenAwsSource[] = []
  const failures = new Map<string, string>()
  const isAlone = config.sources.filter(({ source }) => source.cloud === 'aws').length === 1
  for (const entry of config.sources) {
    const warnOf: Warn = (message) => warn(entry.name, message)
    try {
      if (entry.source.cloud === 'azure') {
        azure.push(azureOf(entry, await entry.source.open(entry.flags, warnOf)))
      } else {
        const opening = await entry.source.open(entry.flags, warnOf)
        const source = tellingWhy(opening, (error) => failures.set(entry.name, messageOf(error)))
        opened.push(source)
        const provide = (): ReturnType<typeof source.provide> => {
          failures.delete(entry.name) // one that hangs is not to be given the reason of the last one
          return source.provide()
        }
        aws.push(awsOf(entry, provide, isAlone))
      }
    } catch (cause) {
      if (config.sources.length === 1) throw cause
      throw new CliError(`sources.${entry.name}: ${messageOf(cause)}`, { cause })
    }
  }
  if (azure.length > 1) throw new CliError('one server can serve one azure_ekm: clients have no way to choose')
  return {
    init: {
      ...address,
      ...(aws.length > 0 ? { aws } : {}),
      limits: { credentialTimeoutMs: CREDENTIAL_TIMEOUT_MS },
      ...given('azure', azure[0]),
      ...given('allowedUids', config.allowUids),
      ...given('dangerouslyAllowAnyUser', config.dangerouslyAllowAnyUser),
    },
    failures,
    close: async () => void (await Promise.allSettled(opened.map((it) => it.close()))),
  }
}

function awsOf(entry: ConfiguredSource, provider: OpenAwsSource['provide'], isAlone: boolean): AwsInit {
  const container = entry.container ?? (isAlone ? undefined : {}) // IMDS lists the first one alone
  const roleArn = entry.flags['assume-role'] ?? entry.flags['role-arn']
  return {
    roleName: entry.name,
    provider,
    ...given('container', container),
    ...given('imds', entry.imds),
    ...given('lazy', entry.lazy),
    ...(typeof roleArn === 'string' ? { roleArn } : {}),
  }
}

function azureOf({ flags, imds, allowedResources }: ConfiguredSource, credential: AzureInit['credential']): AzureInit {
  const clientId = flags['client-id']
  return {
    credential,
    ...given('imds', imds),
    ...given('allowedResources', allowedResources),
    ...(typeof clientId === 'string' ? { clientId } : {}),
  }
}

function addressOf(listen: string): Pick<CredentialServerInit, 'host' | 'port' | 'socketPath'> {
  const [, socketPath] = /^unix:(.+)$/s.exec(listen) ?? []
  if (socketPath !== undefined) return { socketPath }
  const [, v6, v4, port = ''] = /^(?:\[([\da-f:]+)\]|(127(?:\.\d{1,3}){3})):(\d{1,5})$/.exec(listen) ?? []
  const host = v6 ?? v4
  if (host === undefined || Number(port) > 65_535) {
    throw usageError('listen must be an address of the loopback and a port, 127.0.0.1:9911, or unix:/path')
  }
  return { host, port: Number(port) }
}
