/** Where to send a request, and what to sign it for. */
export interface RolesAnywhereEndpoint {
  /** Without a path: that is `path`. */
  readonly origin: URL
  /** `/sessions`, after the prefix of an endpoint of the caller's; as it goes on the wire and into the signature. */
  readonly path: string
  /** Of the credential scope: never `fips-…`. */
  readonly region: string
}

/** What chooses it. */
export interface RolesAnywhereEndpointInit {
  /** `eu-west-1`. Default: that of the trust anchor. */
  region?: string | undefined
  /** In place of AWS's: a VPC endpoint, or an emulator; a path is put before `/sessions`. `http:` on a loopback address only. */
  endpoint?: string | undefined
  /** Lets `endpoint` be `http:` anywhere. Whoever is on the way reads the session's secret. */
  dangerouslyAllowPlaintextEndpoint?: boolean | undefined
  /** Endpoints validated to FIPS 140. Not with `endpoint`. */
  useFipsEndpoint?: boolean | undefined
  /** Endpoints with IPv4 and IPv6. Not with `endpoint`. */
  useDualstackEndpoint?: boolean | undefined
}

interface Partition {
  readonly regions: RegExp
  readonly suffix: string
  readonly dualstackSuffix: string | undefined
}

// AWS's partition data, version 1.1. A new region needs no new release of ours, a new partition does.
const PARTITIONS: readonly Partition[] = [
  partition('(?:us|eu|ap|sa|ca|me|af|il|mx)', 'amazonaws.com', 'api.aws'),
  partition('cn', 'amazonaws.com.cn', 'api.amazonwebservices.com.cn'),
  partition('us-gov', 'amazonaws.com', 'api.aws'),
  partition('eusc-de', 'amazonaws.eu', 'api.amazonwebservices.eu'),
  partition('us-iso', 'c2s.ic.gov'),
  partition('us-isob', 'sc2s.sgov.gov'),
  partition('eu-isoe', 'cloud.adc-e.uk'),
  partition('us-isof', 'csp.hci.ic.gov'),
]

const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** What is the same on the wire and in a canonical URI, whoever encodes it. */
const PLAIN_PATH = /^(?:\/[\w.~-]+)*\/?$/
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/

/**
 * The endpoint of CreateSession: where sessions are asked for, for firewalls and proxies too. No variable of the environment is
 * looked at: what `AWS_USE_FIPS_ENDPOINT` and others say, the caller passes in.
 *
 * @param trustAnchorRegion The fourth part of the trust anchor's ARN; taken where no `region` is given.
 * @throws {TypeError} on a region of no known partition without `endpoint`, an `endpoint` that can't be one, or a variant that
 *   does not exist.
 * @see {@link https://docs.aws.amazon.com/general/latest/gr/rolesanywhere.html IAM Roles Anywhere endpoints and quotas}
 */
export function rolesAnywhereEndpoint(
  init: RolesAnywhereEndpointInit,
  trustAnchorRegion: string,
): RolesAnywhereEndpoint {
  const { region: given = trustAnchorRegion, endpoint, useDualstackEndpoint = false, useFipsEndpoint = false } = init
  if (typeof given !== 'string' || !HOST_LABEL.test(given)) {
    throw new TypeError('"region" must be an AWS region, such as eu-west-1')
  }
  const region = given.replace(/^fips-|-fips$/, '')
  if (endpoint !== undefined) {
    if (useFipsEndpoint || useDualstackEndpoint) {
      throw new TypeError('"endpoint" goes neither with "useFipsEndpoint" nor with "useDualstackEndpoint"')
    }
    return { ...checkedUrl(endpoint, init.dangerouslyAllowPlaintextEndpoint === true), region }
  }
  const found = PARTITIONS.find(({ regions }) => regions.test(region))
  if (found === undefined) throw new TypeError(`"region" ${region} is in no known partition: say "endpoint" as well`)
  const suffix = useDualstackEndpoint ? found.dualstackSuffix : found.suffix
  if (suffix === undefined) throw new TypeError(`"useDualstackEndpoint": region ${region} has no such endpoints`)
  const service = useFipsEndpoint || region !== given ? 'rolesanywhere-fips' : 'rolesanywhere'
  return { origin: new URL(`https://${service}.${region}.${suffix}`), path: '/sessions', region }
}

function checkedUrl(endpoint: string, plaintextOk: boolean): { origin: URL; path: string } {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  const plain = url?.protocol === 'http:' && (plaintextOk || LOOPBACK.test(url.hostname))
  if (url === undefined || (url.protocol !== 'https:' && !plain)) {
    throw new TypeError(
      '"endpoint" must be an https: URL; http: is for loopback addresses, or with "dangerouslyAllowPlaintextEndpoint"',
    )
  }
  if (url.username + url.password + url.search + url.hash !== '' || url.port === '0') {
    throw new TypeError('"endpoint" must have neither user, query, fragment nor port 0')
  }
  if (!PLAIN_PATH.test(url.pathname)) throw new TypeError('the path of "endpoint" must be of A-Z a-z 0-9 - . _ ~ and /')
  return { origin: new URL(url.origin), path: `${url.pathname.replace(/\/$/, '')}/sessions` }
}

function partition(prefix: string, suffix: string, dualstackSuffix?: string): Partition {
  return { regions: new RegExp(`^${prefix}-[a-z]+-\\d+$`), suffix, dualstackSuffix }
}
