import { readFileSync } from 'node:fs'
import { createTestPki } from '@hardbound/testkit'
import { describe, expect, it, jest } from '@jest/globals'
import { checkConnection } from '../../src/transport.ts'

const block = (base64: string) => `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`

describe('checkConnection: authorities', () => {
  it('takes one certificate, and the many of a system', async () => {
    const { caPem } = await createTestPki()
    expect(checkConnection({ ca: `a comment\n${caPem}` }).ca).toBe(caPem.trim())
    expect(checkConnection({ ca: Buffer.from(caPem.repeat(40)) }).ca?.match(/BEGIN/g)).toHaveLength(40)
    expect(checkConnection({})).toEqual({ ca: undefined, proxy: undefined })
  })

  it.each(['', 'no PEM', block('AAAA')])('refuses %j, which would be all of Node’s', (ca) => {
    expect(() => checkConnection({ ca })).toThrow(new TypeError('"ca" must be certificates in PEM'))
  })

  it.each([
    'AAAA',
    'MII=',
    'MIIB',
    'MIIBAAAA',
    readFileSync(new URL(import.meta.url))
      .toString('base64')
      .slice(0, 400),
  ])('refuses many of which one is none: %s', async (none) => {
    const { caPem } = await createTestPki()
    expect(() => checkConnection({ ca: caPem.repeat(20) + block(none) })).toThrow('"ca" must be certificates in PEM')
  })
})

describe('checkConnection: proxies', () => {
  it.each(['http://proxy.example.com:3128', 'http://proxy.example.com', 'http://me:p%40ss@[2001:db8::1]:8080/'])(
    'takes %s',
    (proxy) => {
      expect(checkConnection({ proxy }).proxy).toEqual(new URL(proxy))
      const given = new URL(proxy)
      expect(checkConnection({ proxy: given }).proxy).not.toBe(given) // theirs may change
    },
  )

  it.each([
    '',
    'me:hunter2@proxy.example.com:3128',
    'https://me:hunter2@proxy.example.com',
    'socks5://me:hunter2@proxy.example.com',
    'http://me:hunter2@proxy.example.com/path',
    'http://me:hunter2@proxy.example.com?query',
    'http://me:hunter2%zz@proxy.example.com',
    'http://me:hunter2@proxy.example.com:port',
  ])('S03: refuses %s, and does not show the password', (proxy) => {
    const check = jest.fn(() => checkConnection({ proxy }))
    expect(check).toThrow(new TypeError('"proxy" must be a URL like http://proxy.example.com:3128'))
  })
})
