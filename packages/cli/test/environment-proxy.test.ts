import { describe, expect, it } from '@jest/globals'
import { environmentProxy } from '../src/internal/environment-proxy.ts'

const never = (): never => {
  throw new Error('asked')
}
const PROXY = { HTTPS_PROXY: 'http://me:secret@proxy.example.com:3128' }
const at = (url: string, env: Readonly<Record<string, string>>) => environmentProxy(() => new URL(url), env)
const AWS = 'https://sts.us-east-1.amazonaws.com'

describe('environmentProxy', () => {
  it('is what HTTPS_PROXY says, also without a scheme and in small letters', () => {
    expect(at(AWS, PROXY)?.href).toBe('http://me:secret@proxy.example.com:3128/')
    expect(at(AWS, { https_proxy: 'proxy.example.com:3128' })?.href).toBe('http://proxy.example.com:3128/')
    expect(at(AWS, { HTTPS_PROXY: '', HTTP_PROXY: 'http://proxy.example.com' })).toBeUndefined()
    expect(() => at(AWS, { HTTPS_PROXY: 'http://secret:port:' })).toThrow(/^HTTPS_PROXY must be a URL/)
  })

  it('does not ask where to without a proxy', () => {
    expect(environmentProxy(never, {})).toBeUndefined()
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
    expect(at(endpoint, { ...PROXY, NO_PROXY: list })).toBeUndefined()
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
    expect(at(endpoint, { ...PROXY, no_proxy: list })).toBeDefined()
  })
})
