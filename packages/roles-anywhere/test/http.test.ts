import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { createTestPki, startConnectProxy, startTlsFront, type TestConnectProxy } from '@hardbound/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type CreateSessionInit, createSession } from '../src/create-session.ts'
import { fromRolesAnywhere } from '../src/from-roles-anywhere.ts'
import { type Harness, ROLE, rejection, startHarness } from './harness.ts'

let harness: Harness
beforeAll(async () => {
  harness = await startHarness({ tls: true })
})
beforeEach(() => {
  harness.service.requests.length = 0
})
afterAll(() => harness.close())

const create = (over: Partial<CreateSessionInit> = {}) =>
  createSession(harness.init({ ca: harness.service.caPem, maxAttempts: 1, ...over }))

describe('over TLS', () => {
  it('trusts the CA that was given', async () => {
    expect((await create()).accessKeyId).toMatch(/^ASIA/)
    expect(
      (await create({ endpoint: harness.service.endpoint.replace('127.0.0.1', 'localhost') })).accountId,
    ).toBeDefined()
  })

  it('U10: trusts nobody else, whatever the environment says', async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      const error = await rejection(create({ ca: undefined }))
      expect(error).toMatchObject({ code: 'ERR_RA_UNTRUSTED', tryNextLink: false })
      expect(error.message).toMatch(
        /^no trusted TLS connection to [\d.:]+ \(\w+\): if a proxy or a private endpoint has a CA of its own, give it as "ca"$/,
      )
      const { caPem } = await createTestPki()
      expect(await rejection(create({ ca: caPem }))).toMatchObject({ code: 'ERR_RA_UNTRUSTED' })
      expect(harness.service.requests).toEqual([])
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    }
  })

  it('S12: has no switch that would take any certificate', async () => {
    for (const name of ['dangerouslyAllowUnverifiedTls', 'rejectUnauthorized', 'verify', 'checkServerIdentity']) {
      const init = { ca: undefined, [name]: name === 'dangerouslyAllowUnverifiedTls' }
      expect(await rejection(create(init))).toMatchObject({ code: 'ERR_RA_UNTRUSTED' })
      expect(() => fromRolesAnywhere(harness.init(init))).toThrow(`no option "${name}"`)
    }
  })

  it('U10: is not tried again where the server is not the one', async () => {
    const { caPem } = await createTestPki()
    expect(await rejection(create({ ca: caPem, maxAttempts: 3 }))).toMatchObject({ code: 'ERR_RA_UNTRUSTED' })
    expect(harness.warnings).toEqual([])
  })
})

describe('TLS versions', () => {
  let old: TlsServer
  beforeAll(async () => {
    const { certPem, keyPem } = await harness.pki.issue({ commonName: 'a', ip: ['127.0.0.1'] })
    const options = { cert: certPem, key: keyPem, minVersion: 'TLSv1' as const, maxVersion: 'TLSv1.1' as const }
    old = createTlsServer({ ...options, ciphers: 'DEFAULT@SECLEVEL=0' }).on('tlsClientError', () => {})
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => new Promise((resolve) => old.close(resolve)))

  it('T: does not go below TLS 1.2', async () => {
    const endpoint = `https://127.0.0.1:${(old.address() as AddressInfo).port}`
    const error = await rejection(create({ endpoint, ca: harness.pki.caPem }))
    expect(error.code).toBe('ERR_RA_UNTRUSTED')
  })
})

describe('through a proxy', () => {
  let proxy: TestConnectProxy
  beforeAll(async () => {
    proxy = await startConnectProxy()
  })
  beforeEach(() => {
    proxy.refusal = undefined
    proxy.asked.length = 0
  })
  afterAll(() => proxy.close())
  const url = (userInfo = '') => proxy.url.replace('//', `//${userInfo}`)

  it('makes a tunnel, with TLS to the service within', async () => {
    expect((await create({ proxy: url('user:p%40ss@') })).accessKeyId).toMatch(/^ASIA/)
    const authorization = `Basic ${Buffer.from('user:p@ss').toString('base64')}`
    expect(proxy.asked).toEqual([{ authority: `127.0.0.1:${harness.service.port}`, authorization }])
  })

  it('assumes a further role through it, too', async () => {
    const next = 'arn:aws:iam::111122223333:role/auditor'
    harness.aws.addRole({ arn: next, trusts: [ROLE] })
    const sts = await startTlsFront(harness.aws.endpoint)
    const provider = fromRolesAnywhere(
      harness.init({
        ca: harness.service.caPem + sts.caPem,
        proxy: url('user:p%40ss@'),
        assumeRole: { RoleArn: next, RoleSessionName: 'worked' },
        stsEndpoint: `https://${sts.authority}`,
      }),
    )
    expect(await provider()).toMatchObject({ accountId: '111122223333' })
    await sts.close()
    expect(harness.aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole' })
    expect(proxy.asked.map(({ authority }) => authority)).toEqual([`127.0.0.1:${harness.service.port}`, sts.authority])
    expect(new Set(proxy.asked.map(({ authorization }) => authorization)).size).toBe(1)
  })

  it('U10: verifies the service within, not the proxy', async () => {
    expect(await rejection(create({ proxy: url(), ca: undefined }))).toMatchObject({ code: 'ERR_RA_UNTRUSTED' })
  })

  it('U10: none is used that was not given', async () => {
    process.env.HTTPS_PROXY = url()
    try {
      await create()
      expect(proxy.asked).toEqual([])
    } finally {
      delete process.env.HTTPS_PROXY
    }
  })

  it.each([407, 502])('says what the proxy says: %d', async (status) => {
    proxy.refusal = status
    const error = await rejection(create({ proxy: url('user:hunter2@') }))
    expect(error.code).toBe('ERR_RA_UNREACHABLE')
    expect(error.message).toContain(`answered ${status} to CONNECT`)
    expect(error.message).not.toContain('hunter2')
  })

  it('a proxy that is not there', async () => {
    const error = await rejection(create({ proxy: 'http://127.0.0.1:1' }))
    expect(error).toMatchObject({ code: 'ERR_RA_UNREACHABLE' })
    expect(error.message).toContain('ECONNREFUSED')
  })
})
