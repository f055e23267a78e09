import { BlockList, isIP } from 'node:net'

// RFC 6890 and its registry. Documentation networks are left in, so that examples load.
const NOT_PUBLIC: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

const notPublic = new BlockList()
for (const [network, prefix] of NOT_PUBLIC) notPublic.addSubnet(network, prefix)
const globalIpv6 = new BlockList()
globalIpv6.addSubnet('2000::', 3, 'ipv6')

/**
 * Whether AWS can ever see a request from this network: `aws:SourceIp` holds public addresses only.
 *
 * @param network Address or CIDR block, IPv4 or IPv6.
 * @returns What is wrong with it, or `undefined`.
 */
export function sourceIpProblem(network: string): string | undefined {
  const [address = '', prefixText, ...rest] = network.split('/')
  const version = isIP(address)
  const widest = version === 4 ? 32 : 128
  const prefix = prefixText === undefined ? widest : /^(0|[1-9]\d{0,2})$/.test(prefixText) ? Number(prefixText) : -1
  if (version === 0 || address.includes('%') || rest.length > 0 || prefix < 0 || prefix > widest) {
    return 'must be an IP address or a CIDR block'
  }
  if (version === 6) {
    return prefix >= 3 && globalIpv6.check(address, 'ipv6')
      ? undefined
      : 'is not a global IPv6 network, so AWS never sees it'
  }
  const block = new BlockList()
  block.addSubnet(address, prefix)
  const overlaps = notPublic.check(address) || NOT_PUBLIC.some(([reserved]) => block.check(reserved))
  return overlaps ? 'holds addresses that are not public, which AWS never sees' : undefined
}
