import { CliError, usageError } from '../cli-error.ts'
import { type GivenOf, text } from './flags.ts'
import { readSecret } from './secret-source.ts'

/** Flags that say which proxy leads to AWS. */
export const PROXY_OPTIONS = { proxy: text, 'proxy-auth': text } as const

/** Their part of `--help`. */
export const PROXY_HELP = `--proxy <url>          http://proxy.example.com:3128; --proxy-auth <source> of user:password. No environment variable is looked at`

type ProxyFlags = GivenOf<typeof PROXY_OPTIONS>

/** The proxy without its password. @throws {CliError} */
export function proxyOf({ proxy, 'proxy-auth': source }: ProxyFlags): string | undefined {
  if (proxy === undefined && source !== undefined) throw usageError('--proxy-auth needs --proxy')
  if (proxy?.includes('@')) {
    throw usageError('--proxy must not hold a password: arguments can be seen by all; use --proxy-auth')
  }
  return proxy
}

/** The proxy with what it wants to hear. */
export async function proxyWithAuthOf(flags: ProxyFlags): Promise<{ proxy?: URL }> {
  const { proxy, 'proxy-auth': source } = flags
  if (proxy === undefined || source === undefined) return {}
  const secret = await readSecret(source, '--proxy-auth')
  const [username = '', password] = secret.toString('utf8').split(/:(.*)/s)
  secret.fill(0)
  if (password === undefined) throw new CliError('--proxy-auth: it must be user:password')
  const url = new URL(proxy)
  url.username = encodeURIComponent(username)
  url.password = encodeURIComponent(password)
  return { proxy: url }
}
