import { fromHmac } from '@hardbound/sigv4-hmac'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import type { OpenAwsSource } from '../sources/source.ts'
import { proxyWithAuthOf } from './proxy-flags.ts'
import { type SessionFlags, sessionInitOf, withFlagNames } from './session-flags.ts'

type Provide = OpenAwsSource['provide']

/**
 * Sessions of STS that a key in a backend asks for. All flags are known to be right before any password is read.
 *
 * @throws {CliError} naming the flag.
 */
export function hmacSessions(flags: SessionFlags, backend: HmacBackend): Provide {
  const init = { ...sessionInitOf(flags), backend }
  const provide = withFlagNames(() => fromHmac(init))
  if (flags['proxy-auth'] === undefined) return provide
  let ready: Promise<Provide> | undefined
  return async () => {
    ready ??= proxyWithAuthOf(flags).then(
      (proxy) => fromHmac({ ...init, ...proxy }),
      (error: unknown) => {
        ready = undefined // a password that could not be read is asked for again
        throw error
      },
    )
    return (await ready)()
  }
}
