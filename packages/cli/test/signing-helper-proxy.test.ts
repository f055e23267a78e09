import { describe, expect, it } from '@jest/globals'
import { parseCommandLine } from '../src/signing-helper/command-line.ts'
import { proxyFor } from '../src/signing-helper/proxy.ts'
import { sessionInitOf } from '../src/signing-helper/session-init.ts'
import type { SessionFlags } from '../src/signing-helper/types.ts'
import { ANCHOR, ASKED } from './signing-helper.ts'

const AWS = {
  trustAnchorArn: ANCHOR,
  region: undefined,
  endpoint: undefined,
  useFipsEndpoint: undefined,
  useDualstackEndpoint: undefined,
}
const PROXY = { HTTPS_PROXY: 'http://me:secret@proxy.example.com:3128' }
const at = (endpoint: string) => ({ ...AWS, endpoint })

describe('proxyFor', () => {
  it('is what HTTPS_PROXY says, also without a scheme and in small letters', () => {
    expect(proxyFor(AWS, PROXY)?.href).toBe('http://me:secret@proxy.example.com:3128/')
    expect(proxyFor(AWS, { https_proxy: 'proxy.example.com:3128' })?.href).toBe('http://proxy.example.com:3128/')
    expect(proxyFor(AWS, { HTTPS_PROXY: '', HTTP_PROXY: 'http://proxy.example.com' })).toBeUndefined()
    expect(() => proxyFor(AWS, { HTTPS_PROXY: 'http://secret:port:' })).toThrow(/^HTTPS_PROXY must be a URL/)
  })

  it.each([
    ['*', 'https://vpce.example.com'],
    ['example.com', 'https://vpce.example.com'],
    ['VPCE.example.com', 'https://vpce.example.com'],
    ['.example.com', 'https://vpce.example.com'],
    ['*.example.com', 'https://vpce.example.com'],
    ['other, vpce.example.com:443', 'https://vpce.example.com'],
    ['vpce.example.com:9', 'https://vpce.example.com:9'],
    ['192.0.2.1', 'https://192.0.2.1'],
    ['192.0.2.0/24', 'https://192.0.2.1'],
    ['2001:db8::/32', 'https://[2001:db8::1]'],
    ['[2001:db8::1]', 'https://[2001:db8::1]'],
    ['', 'https://localhost:1'],
    ['', 'https://127.0.0.1:1'],
    ['', 'https://[::1]:1'],
  ])('is none where NO_PROXY is %j, for %s', (list, endpoint) => {
    expect(proxyFor(at(endpoint), { ...PROXY, NO_PROXY: list })).toBeUndefined()
  })

  it.each([
    ['ple.com', 'https://vpce.example.com'],
    ['.vpce.example.com', 'https://vpce.example.com'],
    ['vpce.example.com:9', 'https://vpce.example.com'],
    ['192.0.2.0/24,x/y', 'https://192.0.3.1'],
    ['0.0.0.0/99', 'https://192.0.2.1'],
    ['2.1', 'https://192.0.2.1'],
    [' , ,', 'https://vpce.example.com'],
  ])('is one where NO_PROXY is %j, for %s', (list, endpoint) => {
    expect(proxyFor(at(endpoint), { ...PROXY, no_proxy: list })).toBeDefined()
  })

  it.each([
    [{}, 'rolesanywhere.us-east-1.amazonaws.com'],
    [{ region: 'cn-north-1' }, 'rolesanywhere.cn-north-1.amazonaws.com.cn'],
    [{ region: 'us-gov-west-1', useFipsEndpoint: true }, 'rolesanywhere-fips.us-gov-west-1.amazonaws.com'],
    [{ useDualstackEndpoint: true }, 'rolesanywhere.us-east-1.api.aws'],
  ])('knows the name of the endpoint: %j', (change, name) => {
    expect(proxyFor({ ...AWS, ...change }, { ...PROXY, NO_PROXY: name })).toBeUndefined()
    expect(proxyFor({ ...AWS, ...change }, { ...PROXY, NO_PROXY: `x${name}` })).toBeDefined()
  })
})

describe('sessionInitOf', () => {
  const init = (flags: readonly string[], env: Readonly<Record<string, string>>) =>
    sessionInitOf(parseCommandLine(['update', ...ASKED, ...flags]).values as unknown as SessionFlags, env)

  it('looks at proxies with --with-proxy only', () => {
    expect(init([], PROXY).proxy).toBeUndefined()
    expect(init(['--with-proxy'], PROXY).proxy).toBeInstanceOf(URL)
  })

  it('has the flag before the environment, and an empty one as none', () => {
    const env = {
      AWS_ENDPOINT_URL: 'https://one.example.com',
      AWS_ENDPOINT_URL_ROLESANYWHERE: 'https://two.example.com',
    }
    expect(init(['--endpoint', 'https://three.example.com'], env).endpoint).toBe('https://three.example.com')
    expect(init(['--endpoint='], env).endpoint).toBe('https://two.example.com')
    expect(init([], { AWS_ENDPOINT_URL: env.AWS_ENDPOINT_URL }).endpoint).toBe('https://one.example.com')
    expect(init([], { ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'TRUE' }).endpoint).toBeUndefined()
  })

  it('sends no duration of its own', () => {
    expect(init([], {}).durationSeconds).toBeUndefined()
    expect(init(['--session-duration', '3600'], {}).durationSeconds).toBe(3600)
  })

  it('S05 chooses FIPS and dual stack as the environment says', () => {
    expect(init([], { AWS_USE_FIPS_ENDPOINT: 'true', AWS_USE_DUALSTACK_ENDPOINT: 'False' })).toMatchObject({
      useFipsEndpoint: true,
      useDualstackEndpoint: false,
    })
    expect(() => init([], { AWS_MAX_ATTEMPTS: 'many' })).toThrow('AWS_MAX_ATTEMPTS must be')
  })
})
