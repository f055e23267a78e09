import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { STSClient } from '@aws-sdk/client-sts'
import { describe, expect, it } from '@jest/globals'
import { type StsEndpointInit, stsEndpoint } from '../src/aws-endpoint.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

/** AWS's own list of regions, as the SDK ships it. */
function sdkPartitions(): { id: string; regions: Record<string, unknown> }[] {
  const sts = createRequire(createRequire(fileURLToPath(import.meta.url)).resolve('@aws-sdk/client-sts'))
  const core = sts.resolve('@aws-sdk/core/client').replace(/dist-cjs.*$/, '')
  const text = readFileSync(`${core}dist-es/submodules/client/util-endpoints/lib/aws/partitions.js`, 'utf8')
  const json = /partitionsInfo = (\{[\s\S]*?\n\});/.exec(text)![1]!
  return (JSON.parse(json) as { partitions: { id: string; regions: Record<string, unknown> }[] }).partitions
}

const sdk = new STSClient({ region: 'us-east-1' }).config.endpointProvider
const VARIANTS = [
  { useFipsEndpoint: false, useDualstackEndpoint: false },
  { useFipsEndpoint: true, useDualstackEndpoint: false },
  { useFipsEndpoint: false, useDualstackEndpoint: true },
  { useFipsEndpoint: true, useDualstackEndpoint: true },
]
const regions = sdkPartitions().flatMap(({ id, regions }) =>
  Object.keys(regions).map((region) => [id, region] as const),
)
const real = regions.filter(([, region]) => !region.endsWith('-global'))

describe('S05 endpoints against the rules and regions of the AWS SDK', () => {
  it('S05 has a list that is one', () => {
    expect(regions.length).toBeGreaterThan(40)
    expect(new Set(regions.map(([id]) => id)).size).toBe(8)
  })

  it.each(real)('S05 %s: %s', (partition, region) => {
    for (const variant of VARIANTS) {
      const { useFipsEndpoint: UseFIPS, useDualstackEndpoint: UseDualStack } = variant
      const { url, properties } = sdk({ Region: region, UseFIPS, UseDualStack, UseGlobalEndpoint: false })
      const [scheme] = (properties?.authSchemes ?? []) as { signingRegion?: string }[]
      const signingRegion = scheme?.signingRegion ?? region
      expect(stsEndpoint({ region, ...variant })).toEqual({ url: url.href, partition, signingRegion })
    }
  })

  it.each(regions.filter(([, region]) => region.endsWith('-global')))(
    'S05 refuses %s: %s, which is no region',
    (_, region) => {
      expect(() => stsEndpoint({ region })).toThrow(TypeError)
    },
  )

  it('S05 knows regions that are not built yet', () => {
    expect(stsEndpoint({ region: 'eu-west-9' }).url).toBe('https://sts.eu-west-9.amazonaws.com/')
    expect(stsEndpoint({ region: 'us-gov-north-1', useFipsEndpoint: true }).url).toBe(
      'https://sts.us-gov-north-1.amazonaws.com/',
    )
  })

  it.each(['mars-east-1', 'us-east', 'eu-iso-west-1', 'us-isox-east-1', 'cn', 'US-EAST-1', 'us-east-1a'])(
    'S05 refuses the unknown region %s',
    (region) => {
      expect(() => stsEndpoint({ region })).toThrow(TypeError)
    },
  )
})

describe('S03 what would end up elsewhere', () => {
  it.each([
    '',
    'us-east-1\r\nx: y',
    'us-east-1\n',
    'us-east-1\0',
    'us-east-1/s3',
    'us-east-1.evil.example',
    'us-east-1@evil',
    'us-east-1#',
  ])('S03 refuses the region %j, with and without an endpoint', (region) => {
    expect(() => stsEndpoint({ region })).toThrow('"region"')
    expect(() => stsEndpoint({ region, endpoint: 'https://sts.example.com' })).toThrow('"region"')
  })
  it('S03 refuses what is no text', () => {
    expect(() => stsEndpoint({ region: 1 as unknown as string })).toThrow('"region"')
    expect(() => stsEndpoint({ region: 'us-east-1', endpoint: 1 as unknown as string })).toThrow('"endpoint"')
  })
})

describe('an endpoint of the caller’s', () => {
  const at = (endpoint: string, o: Partial<StsEndpointInit> = {}) =>
    stsEndpoint({ region: 'us-east-1', endpoint, ...o })

  it('is taken as it is, and signed for the region', () => {
    const url = 'https://vpce-1.sts.us-east-1.vpce.amazonaws.com/'
    expect(at(url)).toEqual({ url, partition: 'aws', signingRegion: 'us-east-1' })
    expect(at('https://sts.example.com:8443').url).toBe('https://sts.example.com:8443/')
    expect(at('https://sts.example.com', { region: 'mars-east-1' })).toMatchObject({
      partition: undefined,
      signingRegion: 'mars-east-1',
    })
    expect(at('http://127.0.0.1:4566', { dangerouslyAllowPlaintextEndpoint: true }).url).toBe('http://127.0.0.1:4566/')
  })

  it.each([
    'http://127.0.0.1:4566',
    'http://sts.example.com',
    'ftp://sts.example.com',
    'sts.example.com',
    '',
    'https://user@sts.example.com',
    'https://:pass@sts.example.com',
    'https://sts.example.com/path',
    'https://sts.example.com/?x',
    'https://sts.example.com/#x',
    'https://sts.example.com:0',
  ])('is refused: %s', (endpoint) => {
    expect(() => at(endpoint)).toThrow('"endpoint"')
  })

  it('is refused in plain text off this machine, also with the loud option', () => {
    const o = { dangerouslyAllowPlaintextEndpoint: true }
    for (const host of ['sts.example.com', 'localhost', '127.0.0.1.example.com', '10.0.0.1']) {
      expect(() => at(`http://${host}`, o)).toThrow('"endpoint"')
    }
  })

  it('S09 goes with no variant', () => {
    expect(() => at('https://sts.example.com', { useFipsEndpoint: true })).toThrow('"endpoint"')
    expect(() => at('https://sts.example.com', { useDualstackEndpoint: true })).toThrow('"endpoint"')
  })
})
