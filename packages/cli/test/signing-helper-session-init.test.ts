import { describe, expect, it } from '@jest/globals'
import { parseCommandLine } from '../src/signing-helper/command-line.ts'
import { sessionInitOf } from '../src/signing-helper/session-init.ts'
import type { SessionFlags } from '../src/signing-helper/types.ts'
import { ASKED } from './signing-helper.ts'

const PROXY = { HTTPS_PROXY: 'http://me:secret@proxy.example.com:3128' }

describe('sessionInitOf', () => {
  const init = (flags: readonly string[], env: Readonly<Record<string, string>>) =>
    sessionInitOf(parseCommandLine(['update', ...ASKED, ...flags]).values as unknown as SessionFlags, env)

  it('looks at proxies with --with-proxy only', () => {
    expect(init([], PROXY).proxy).toBeUndefined()
    expect(init(['--with-proxy'], PROXY).proxy).toBeInstanceOf(URL)
  })

  it.each<[string[], Record<string, string>, string]>([
    [[], {}, 'rolesanywhere.us-east-1.amazonaws.com'],
    [['--region', 'cn-north-1'], {}, 'rolesanywhere.cn-north-1.amazonaws.com.cn'],
    [['--region', 'us-iso-east-1'], {}, 'rolesanywhere.us-iso-east-1.c2s.ic.gov'],
    [
      ['--region', 'us-gov-west-1'],
      { AWS_USE_FIPS_ENDPOINT: 'true' },
      'rolesanywhere-fips.us-gov-west-1.amazonaws.com',
    ],
    [[], { AWS_USE_DUALSTACK_ENDPOINT: 'true' }, 'rolesanywhere.us-east-1.api.aws'],
    [['--endpoint', 'https://vpce.example.com:9/a'], {}, 'vpce.example.com:9'],
  ])('holds NO_PROXY against the endpoint that is used: %j %j', (flags, env, name) => {
    const proxy = (NO_PROXY: string) => init(['--with-proxy', ...flags], { ...PROXY, ...env, NO_PROXY }).proxy
    expect(proxy(name)).toBeUndefined()
    expect(proxy(`x${name}`)).toBeDefined()
  })

  it('leaves it to the library to say what is wrong with the endpoint', () => {
    expect(init(['--with-proxy', '--region', 'moon-base-1'], PROXY)).toMatchObject({ region: 'moon-base-1' })
    expect(init(['--with-proxy', '--trust-anchor-arn', 'none'], PROXY)).toMatchObject({ trustAnchorArn: 'none' })
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
