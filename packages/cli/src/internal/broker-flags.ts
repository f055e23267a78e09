import { type AttestationSource, type BrokerClientInit, confidentialSpaceLauncher } from '@hardbound/ekm-tls/client'
import { usageError } from '../cli-error.ts'
import { fileOf, given, oneOf, secondsOf, text, texts } from './flags.ts'

/** Flags of every command that asks a broker. */
export const BROKER_OPTIONS = {
  broker: text,
  audience: text,
  ca: text,
  pin: texts,
  address: text,
  sni: text,
  cert: text,
  key: text,
  proxy: text,
  socket: text,
  'attestation-service': text,
  'token-type': text,
  protocol: text,
  timeout: text,
} as const

/** Those of them that name files. */
export const BROKER_FILES = ['ca', 'cert', 'key'] as const

type BrokerFlags = { readonly [K in Exclude<keyof typeof BROKER_OPTIONS, 'pin'>]?: string | undefined } & {
  readonly pin?: string[] | undefined
}

/** What they mean for a credential. */
export interface BrokerInit {
  readonly broker: BrokerClientInit['broker']
  readonly audience: string
  readonly attestation: AttestationSource
  readonly protocol?: 'v2' | 'go-v1'
  readonly timeoutMs?: number
}

/** Options that their flags are not simply called like. */
export const BROKER_FLAG_OF: Readonly<Record<string, string>> = {
  url: '--broker',
  spkiPins: '--pin',
  serverName: '--sni',
  timeoutMs: '--timeout',
}

/**
 * Reads the files that the flags name.
 *
 * @throws {CliError} naming the flag.
 */
export function brokerInitOf(flags: BrokerFlags): BrokerInit {
  const { broker, audience } = flags
  if (broker === undefined) throw usageError('--broker is required')
  if (audience === undefined) throw usageError('--audience is required')
  const timeout = secondsOf('--timeout', flags.timeout)
  return {
    broker: {
      url: broker,
      ...given('address', flags.address),
      ...given('serverName', flags.sni),
      ...given('ca', fileOf('--ca', flags.ca)),
      ...given('spkiPins', flags.pin),
      ...given('cert', fileOf('--cert', flags.cert)),
      ...given('key', fileOf('--key', flags.key)),
      ...given('proxy', flags.proxy),
    },
    audience,
    attestation: confidentialSpaceLauncher({
      ...given('socketPath', flags.socket),
      ...given('service', oneOf('--attestation-service', flags['attestation-service'], ['google', 'intel'])),
      ...given('tokenType', oneOf('--token-type', flags['token-type'], ['OIDC', 'PKI'])),
    }),
    ...given('protocol', oneOf('--protocol', flags.protocol, ['v2', 'go-v1'])),
    ...given('timeoutMs', timeout === undefined ? undefined : timeout * 1000),
  }
}
