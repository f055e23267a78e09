/** Where to send a request, and what to sign it for. */
export interface StsEndpoint {
  /** `https://sts.eu-west-1.amazonaws.com/` */
  readonly url: string
  /** `aws`, `aws-us-gov`; `undefined` with an `endpoint` of the caller's and a region of no known partition. */
  readonly partition: string | undefined
  readonly signingRegion: string
}

/** What chooses it. */
export interface StsEndpointInit {
  /** `eu-west-1` */
  region: string
  /** In place of AWS's: a VPC endpoint, or an emulator. `https:`; for `http:` see `dangerouslyAllowPlaintextEndpoint`. */
  endpoint?: string | undefined
  /** Lets `endpoint` be `http://127.0.0.1:<port>`, for emulators. */
  dangerouslyAllowPlaintextEndpoint?: boolean | undefined
  /** Endpoints validated to FIPS 140. Not with `endpoint`. */
  useFipsEndpoint?: boolean | undefined
  /** Endpoints with IPv4 and IPv6. Not with `endpoint`. */
  useDualstackEndpoint?: boolean | undefined
}

interface Partition {
  readonly name: string
  readonly regions: RegExp
  readonly suffix: string
  readonly dualstackSuffix: string
}

// AWS's partition data, version 1.1. A new region needs no new release of ours, a new partition does.
const PARTITIONS: readonly Partition[] = [
  partition('aws', '(?:us|eu|ap|sa|ca|me|af|il|mx)', 'amazonaws.com', 'api.aws'),
  partition('aws-cn', 'cn', 'amazonaws.com.cn', 'api.amazonwebservices.com.cn'),
  partition('aws-eusc', 'eusc-de', 'amazonaws.eu', 'api.amazonwebservices.eu'),
  partition('aws-iso', 'us-iso', 'c2s.ic.gov', 'api.aws.ic.gov'),
  partition('aws-iso-b', 'us-isob', 'sc2s.sgov.gov', 'api.aws.scloud'),
  partition('aws-iso-e', 'eu-isoe', 'cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk'),
  partition('aws-iso-f', 'us-isof', 'csp.hci.ic.gov', 'api.aws.hci.ic.gov'),
  partition('aws-us-gov', 'us-gov', 'amazonaws.com', 'api.aws'),
]

const HOST_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * The regional STS endpoint. The global one (`aws-global`) is left out, as AWS advises against it.
 *
 * @throws {TypeError} on a region of no known partition without `endpoint`, an `endpoint` that can't be one, or both
 *   `endpoint` and a variant.
 * @see {@link https://docs.aws.amazon.com/general/latest/gr/sts.html AWS STS endpoints and quotas}
 */
export function stsEndpoint(init: StsEndpointInit): StsEndpoint {
  const { region, endpoint, useFipsEndpoint = false, useDualstackEndpoint = false } = init
  if (typeof region !== 'string' || !HOST_LABEL.test(region)) {
    throw new TypeError('"region" must be an AWS region, such as eu-west-1')
  }
  const found = PARTITIONS.find(({ regions }) => regions.test(region))
  if (endpoint !== undefined) {
    if (useFipsEndpoint || useDualstackEndpoint) {
      throw new TypeError('"endpoint" goes neither with "useFipsEndpoint" nor with "useDualstackEndpoint"')
    }
    const url = checkedUrl(endpoint, init.dangerouslyAllowPlaintextEndpoint === true)
    return { url, partition: found?.name, signingRegion: region }
  }
  if (found === undefined) throw new TypeError(`"region" ${region} is in no known partition: say "endpoint" as well`)
  const suffix = useDualstackEndpoint ? found.dualstackSuffix : found.suffix
  // GovCloud's plain endpoints are the FIPS ones.
  const fips = useFipsEndpoint && !(found.name === 'aws-us-gov' && !useDualstackEndpoint)
  return {
    url: `https://${fips ? 'sts-fips' : 'sts'}.${region}.${suffix}/`,
    partition: found.name,
    signingRegion: region,
  }
}

function checkedUrl(endpoint: string, plaintextOk: boolean): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url?.protocol !== 'https:') {
    const loopback = url?.protocol === 'http:' && url.hostname === '127.0.0.1'
    if (!loopback || !plaintextOk) {
      throw new TypeError(
        '"endpoint" must be an https: URL, or http://127.0.0.1 with "dangerouslyAllowPlaintextEndpoint"',
      )
    }
  }
  const extra = url.username + url.password + url.search + url.hash
  if (extra !== '' || url.pathname !== '/' || url.port === '0') {
    throw new TypeError('"endpoint" must have neither user, path, query, fragment nor port 0')
  }
  return url.href
}

function partition(name: string, prefix: string, suffix: string, dualstackSuffix: string): Partition {
  return { name, regions: new RegExp(`^${prefix}-[a-z]+-\\d+$`), suffix, dualstackSuffix }
}
