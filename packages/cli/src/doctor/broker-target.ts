import type { EkmConnectInit } from '@hardbound/ekm-tls'
import { fileOf, given } from '../internal/flags.ts'
import type { BrokerTarget } from './context.ts'

/**
 * How to connect to a broker. Reads the files.
 *
 * @throws {CliError} naming the flag of a file that can't be read.
 */
export function connectInitOf(target: BrokerTarget): EkmConnectInit {
  const { url, address, serverName, ca, pins, cert, key, proxy } = target
  return {
    url,
    ...given('address', address),
    ...given('serverName', serverName),
    ...given('ca', fileOf('--ca', ca)),
    ...given('spkiPins', pins),
    ...given('cert', fileOf('--cert', cert)),
    ...given('key', fileOf('--key', key)),
    ...given('proxy', proxy),
  }
}

/** What flags of `hardbound aws ekm` and `hardbound azure ekm` say of the broker; `undefined` where they name none. */
export function brokerTargetOf(flags: Readonly<Record<string, unknown>>, where: string): BrokerTarget | undefined {
  const text = (name: string): string | undefined => {
    const value = flags[name]
    return typeof value === 'string' ? value : undefined
  }
  const url = text('broker')
  if (url === undefined) return undefined
  const pins = Array.isArray(flags.pin) ? flags.pin.map(String) : undefined
  return {
    url,
    where,
    ...given('address', text('address')),
    ...given('serverName', text('sni')),
    ...given('ca', text('ca')),
    ...given('pins', pins),
    ...given('cert', text('cert')),
    ...given('key', text('key')),
    ...given('proxy', text('proxy')),
  }
}
