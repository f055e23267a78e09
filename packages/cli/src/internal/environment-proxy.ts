import { CliError } from '../cli-error.ts'

/**
 * The proxy that the environment names, by the rules of Go's `httpproxy`: `HTTPS_PROXY` or `https_proxy`, unless `NO_PROXY` has the
 * host. What goes to a loopback address goes there straight, so that `HTTP_PROXY`, which is for `http:` endpoints, is never used:
 * those are on loopback addresses only.
 *
 * @param to Where to; asked for only where there is a proxy.
 * @throws {CliError} where it can't be one, without showing it.
 * @see {@link https://pkg.go.dev/golang.org/x/net/http/httpproxy#FromEnvironment httpproxy.FromEnvironment}
 */
export function environmentProxy(to: () => URL, env: Readonly<Record<string, string | undefined>>): URL | undefined {
  const proxy = env.HTTPS_PROXY || env.https_proxy
  if (!proxy) return undefined
  const { hostname, port } = to()
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (isLoopback(host) || isExcepted(host, port === '' ? '443' : port, env.NO_PROXY || env.no_proxy || ''))
    return undefined
  const text = proxy.includes('://') ? proxy : `http://${proxy}`
  if (!URL.canParse(text)) throw new CliError('HTTPS_PROXY must be a URL like http://proxy.example.com:3128')
  return new URL(text)
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host)

/** `*`, addresses, CIDR blocks, names with what is below them, `.names` with that alone; each perhaps with a port. */
function isExcepted(host: string, port: string, list: string): boolean {
  const { isIP } = net()
  return list.split(',').some((entry) => {
    const it = entry.trim().toLowerCase()
    if (it === '*') return true
    if (it.includes('/')) return isIP(host) !== 0 && isInBlock(host, it)
    const [, name = '', at] = /^(\[.*\]|[^:]*|[0-9a-f:.]*)(?::(\d+))?$/.exec(it) ?? []
    if (name === '' || (at !== undefined && at !== port)) return false
    const bare = name.replace(/^\[(.*)\]$/, '$1').replace(/^\*\./, '.')
    return bare.startsWith('.') ? host.endsWith(bare) : host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`))
  })
}

function isInBlock(host: string, block: string): boolean {
  const { BlockList, isIP } = net()
  const [address = '', bits = ''] = block.split('/')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const blocks = new BlockList()
  try {
    blocks.addSubnet(address, Number(bits), family)
    return blocks.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4')
  } catch {
    return false // not a block
  }
}

/** It takes 4 ms to load, which nobody without a proxy should wait for. */
const net = () => process.getBuiltinModule('node:net')
