import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { createTestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type CreateSessionInit, createSession } from '../src/create-session.ts'
import { fromRolesAnywhere } from '../src/from-roles-anywhere.ts'
import { type Harness, rejection, startHarness } from './harness.ts'

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
      expect(error.message).toContain('"ca"')
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
  let proxy: Server
  let refuse: number | undefined
  const asked: IncomingMessage[] = []
  beforeAll(async () => {
    proxy = createServer((_, res) => res.writeHead(500).end())
    proxy.on('connect', (req, socket) => {
      asked.push(req)
      socket.on('error', () => {})
      if (refuse !== undefined) return socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`)
      const [host, port] = req.url!.split(':')
      const upstream = connect(Number(port), host!, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(upstream).pipe(socket)
      })
      upstream.on('error', () => socket.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  })
  beforeEach(() => {
    refuse = undefined
    asked.length = 0
  })
  afterAll(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  const url = (userInfo = '') => `http://${userInfo}127.0.0.1:${(proxy.address() as AddressInfo).port}`

  it('makes a tunnel, with TLS to the service within', async () => {
    expect((await create({ proxy: url('user:p%40ss@') })).accessKeyId).toMatch(/^ASIA/)
    expect(asked.map((it) => it.url)).toEqual([`127.0.0.1:${harness.service.port}`])
    expect(asked[0]!.headers['proxy-authorization']).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
  })

  it('U10: verifies the service within, not the proxy', async () => {
    expect(await rejection(create({ proxy: url(), ca: undefined }))).toMatchObject({ code: 'ERR_RA_UNTRUSTED' })
  })

  it('U10: none is used that was not given', async () => {
    process.env.HTTPS_PROXY = url()
    try {
      await create()
      expect(asked).toEqual([])
    } finally {
      delete process.env.HTTPS_PROXY
    }
  })

  it.each([407, 502])('says what the proxy says: %d', async (status) => {
    refuse = status
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
