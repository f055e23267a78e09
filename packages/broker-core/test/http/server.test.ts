import { once } from 'node:events'
import { connect as netConnect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { createTestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { connectRaw, type Harness, http, refusalOf, startBroker, v2Body } from '../harness.ts'

describe('createBrokerServer: HTTP', () => {
  let broker: Harness
  beforeAll(async () => {
    broker = await startBroker({
      limits: { headersTimeoutMs: 700, requestTimeoutMs: 700, keepAliveTimeoutMs: 700, writeTimeoutMs: 700 },
    })
  })
  afterAll(() => broker.close())
  beforeEach(() => {
    broker.records.length = 0
    broker.grants.length = 0
  })
  afterEach(async () => expect(await exchange((client) => http(v2Body(broker, client)))).toMatch(/^200/))

  /** Sends raw text, gives back the refusal (or the status), and sees that the broker ends the connection after a refusal. */
  async function exchange(
    textOf: string | ((client: Awaited<ReturnType<typeof connectRaw>>) => string | Buffer),
  ): Promise<string> {
    const client = await connectRaw(broker)
    client.write(typeof textOf === 'string' ? textOf : textOf(client))
    const answer = await client.answer()
    if (answer.status === 200) {
      client.destroy()
      return '200'
    }
    expect(answer.headers.connection).toBe('close')
    await client.ended
    return `${refusalOf(answer)}${answer.headers.allow === undefined ? '' : ` (${answer.headers.allow})`}`
  }
  /** An otherwise honest request. */
  const honest = (init: Parameters<typeof http>[1]) => exchange((client) => http(v2Body(broker, client), init))

  const expectOneRecord = (): void => {
    expect(broker.grants).toEqual([])
    expect(broker.records).toEqual([expect.objectContaining({ event: 'deny', requestId: expect.any(String) })])
  }

  it.each(['GET', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'HEAD', 'PATCH'])('H01 %s', async (method) => {
    const client = await connectRaw(broker)
    client.write(http('', { method, headers: { 'content-length': undefined } }))
    const [head] = (await once(client.socket, 'data')) as [Buffer]
    expect(head.toString()).toMatch(/^HTTP\/1\.1 405 /)
    expect(head.toString()).toMatch(/\r\nallow: POST\r\n/i)
    await client.ended
    expectOneRecord()
  })

  it.each(['CONNECT x:443', 'GET /', 'POST /v2/credentials'])('H01 survives %s and a reset', async (line) => {
    for (let round = 0; round < 20; round++) {
      const tcp = netConnect(broker.port, '127.0.0.1')
      const socket = tlsConnect({ socket: tcp, host: '127.0.0.1', ca: broker.pki.caPem, ALPNProtocols: ['http/1.1'] })
      await once(socket, 'secureConnect')
      socket.on('error', () => {})
      await new Promise((resolve) => socket.write(`${line} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n`, resolve))
      tcp.resetAndDestroy()
    }
  })

  it('H01 CONNECT', async () => {
    expect(await exchange('CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nhost: x\r\n\r\n')).toBe(
      '405 method_not_allowed (POST)',
    )
    expectOneRecord()
  })

  it.each([
    '/',
    '/token',
    '//v2/credentials',
    '/v2/credentials/',
    '/v2/%63redentials',
    '/x/../v2/credentials',
    '/v2/credentials?x=1',
    'https://broker.example.com/v2/credentials',
    '/V2/credentials',
    '*',
    '/healthz',
    '/metrics',
  ])('H02 %s', async (path) => {
    expect(await honest({ path })).toBe('404 not_found')
    expectOneRecord()
  })

  it.each([
    [undefined],
    ['text/plain'],
    ['application/json;charset=utf-16'],
    ['multipart/form-data; boundary=x'],
    ['application/jsonp'],
    ['application/json\r\ncontent-type: application/json'],
  ])('H03 content-type %j', async (contentType) => {
    expect(await honest({ headers: { 'content-type': contentType } })).toBe('415 unsupported_media_type')
    expectOneRecord()
  })

  it.each(['application/json; charset=utf-8', 'Application/JSON'])('takes %s', async (contentType) => {
    expect(await honest({ headers: { 'content-type': contentType } })).toBe('200')
  })

  it.each(['gzip', 'br', 'deflate', 'identity'])('H04 content-encoding %s', async (encoding) => {
    expect(await honest({ headers: { 'content-encoding': encoding } })).toBe('415 unsupported_media_type')
    expectOneRecord()
  })

  it.each([
    ['text/html', '406 not_acceptable'],
    ['application/json;q=0.9, text/html', '200'],
    ['*/*', '200'],
  ])('accept: %s', async (accept, expected) => {
    expect(await honest({ headers: { accept } })).toBe(expected)
  })

  describe('H05 bodies', () => {
    it('without a length', async () => {
      expect(await exchange(http('', { headers: { 'content-length': undefined } }))).toBe('411 length_required')
      expectOneRecord()
    })
    it('over the limit by their own word: nothing is read', async () => {
      expect(await exchange(http('', { headers: { 'content-length': '65537' } }))).toBe('413 payload_too_large')
      expectOneRecord()
    })
    it('over the limit in chunks', async () => {
      const head = http('', { headers: { 'content-length': undefined, 'transfer-encoding': 'chunked' } })
      expect(await exchange(`${head}11000\r\n${'x'.repeat(0x11000)}\r\n0\r\n\r\n`)).toBe('413 payload_too_large')
      expectOneRecord()
    })
    it('in chunks of one octet, whole', async () => {
      expect(
        await exchange((client) => {
          const head = http('', { headers: { 'content-length': undefined, 'transfer-encoding': 'chunked' } })
          return `${head}${[...v2Body(broker, client)].map((it) => `1\r\n${it}\r\n`).join('')}0\r\nauthorization: x\r\n\r\n`
        }),
      ).toBe('200')
    })
    it('H15 shorter than they say', async () => {
      expect(await exchange(http('{}', { headers: { 'content-length': '3' } }))).toBe('408 request_timeout')
      expect(await honest({})).toBe('200') // by now a second record of the first would be there
      expect(broker.records.filter(({ event }) => event === 'deny')).toHaveLength(1)
    })
  })

  it.each<[string, string]>([
    ['CL and TE', http('0\r\n\r\n', { headers: { 'transfer-encoding': 'chunked' } })],
    ['two lengths', http('', { headers: { 'content-length': '0\r\ncontent-length: 1' } })],
    [
      'an unknown transfer coding',
      http('', { headers: { 'content-length': undefined, 'transfer-encoding': 'xchunked' } }),
    ],
    ['a folded header', http('', { headers: { 'x-a': 'b\r\n c' } })],
    ['a space before the colon', http('', { headers: { 'x-a ': 'b' } })],
    ['bare line feeds', 'POST /v2/credentials HTTP/1.1\nhost: x\n\n'],
    ['no HTTP', '\u0016\u0003\u0001'],
    ['HTTP/1.0', 'POST /v2/credentials HTTP/1.0\r\nhost: x\r\ncontent-length: 0\r\n\r\n'],
    ['no host', http('', { headers: { host: undefined } })],
    ['two hosts', http('', { headers: { host: 'a\r\nhost: b' } })],
    ['H24 an upgrade', http('{}', { headers: { connection: 'upgrade', upgrade: 'h2c' } })],
    ['H19 HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('H11 refuses %s, and nothing behind it is a request', async (_name, text) => {
    const client = await connectRaw(broker)
    client.write(text + http(v2Body(broker, client)))
    expect(refusalOf(await client.answer())).toBe('400 invalid_request')
    await client.ended
    expectOneRecord()
  })

  it('refuses HTTP/1.0', async () => {
    const text = (body: string) => http(body).replace('HTTP/1.1', 'HTTP/1.0')
    expect(await exchange((client) => text(v2Body(broker, client)))).toBe('400 invalid_request')
    expectOneRecord()
  })

  it('H14 T12 ends a client that says nothing after the handshake; that is no request, and has no record', async () => {
    const client = await connectRaw(broker)
    await client.ended
    expect(broker.records).toEqual([])
    expect(broker.connectionErrors.at(-1)).toMatchObject({ reason: 'ERR_PEER_SILENT' })
  })

  it('H13 does not process what is pipelined behind a refused request', async () => {
    const client = await connectRaw(broker)
    client.write(http('{}') + http(v2Body(broker, client)))
    expect(refusalOf(await client.answer())).toBe('400 invalid_request')
    await client.ended
    expectOneRecord()
  })

  it('H14 ends a client whose headers do not come', async () => {
    expect(await exchange('POST /v2/credentials HTTP/1.1\r\nhost: x\r\n')).toBe('408 request_timeout')
    expectOneRecord()
  })

  it('H17 ends a connection that waits', async () => {
    const client = await connectRaw(broker)
    client.write(http(v2Body(broker, client)))
    expect((await client.answer()).status).toBe(200)
    await client.ended
  })

  it.each([
    ['16 KiB of headers', { 'x-a': 'b'.repeat(17_000) }],
    ['65 headers', Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`x-${i}`, 'a']))],
    ['a name of 17 KB', { ['x'.repeat(17_000)]: 'a' }],
  ])('H18 %s', async (_name, headers) => {
    expect(await honest({ headers })).toBe('431 headers_too_large')
    expectOneRecord()
  })

  it('H20 an expectation it does not know; one it knows, with nothing behind', async () => {
    expect(await honest({ headers: { expect: 'miracles' } })).toBe('417 expectation_failed')
    expectOneRecord()
    broker.records.length = 0
    expect(await exchange(http('', { headers: { expect: '100-continue', 'content-length': '10' } }))).toBe(
      '408 request_timeout',
    )
    expectOneRecord()
  })

  it('H25 takes headers named like parts of objects for what they are', async () => {
    expect(
      await honest({ headers: { constructor: 'x', __proto__x: 'y', __proto__: 'z' } as Record<string, string> }),
    ).toBe('200')
    expect(({} as { x?: string }).x).toBeUndefined()
  })

  it('H21 tells nothing but code and request id, and the record has the same id', async () => {
    const client = await connectRaw(broker)
    client.write(http('{'))
    const { body } = await client.answer()
    const { error } = JSON.parse(body) as { error: { code: string; request_id: string } }
    expect(body).toBe(JSON.stringify({ error: { code: 'invalid_request', request_id: error.request_id } }))
    expect(broker.records[0]).toMatchObject({ requestId: error.request_id, reason: 'body.json' })
    client.destroy()
  })
})

describe('createBrokerServer: limits', () => {
  it('J24 answers 429 with Retry-After beyond the rate of one peer', async () => {
    const broker = await startBroker({ limits: { requestsPerSecond: 1 } })
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const client = await connectRaw(broker)
        client.write(http('{}'))
        const answer = await client.answer()
        client.destroy()
        return { code: refusalOf(answer), retryAfter: answer.headers['retry-after'] }
      }),
    )
    expect(answers).toContainEqual({ code: '429 rate_limited', retryAfter: '1' })
    expect(broker.records).toHaveLength(4)
    await broker.close()
  })

  it('E26 refuses a connection that is too old', async () => {
    const broker = await startBroker({ limits: { maxConnectionAgeMs: 0 } })
    const client = await connectRaw(broker)
    client.write(http(v2Body(broker, client)))
    expect(refusalOf(await client.answer())).toBe('408 request_timeout')
    expect(broker.records).toEqual([expect.objectContaining({ reason: 'connection.age' })])
    await broker.close()
  })

  it('sheds load beyond what it may have under way, and beyond the connections of one address', async () => {
    const broker = await startBroker({ limits: { maxInFlight: 1, maxConnectionsPerAddress: 2 } })
    let release = (): void => {}
    const arrived = new Promise<void>((resolve) => {
      broker.issue = () => {
        resolve()
        return new Promise((done) => {
          release = () => done({ body: {}, expiresAt: 1, audit: {} })
        })
      }
    })
    const [first, second] = await Promise.all([connectRaw(broker), connectRaw(broker)])
    first!.write(http(v2Body(broker, first!)))
    await arrived
    second!.write(http(v2Body(broker, second!)))
    expect(refusalOf(await second!.answer())).toBe('503 overloaded')
    release()
    expect((await first!.answer()).status).toBe(200)
    const third = await connectRaw(broker)
    await expect(connectRaw(broker)).rejects.toThrow()
    third.destroy()
    await broker.close()
  })

  it('has no more connections than it may', async () => {
    const broker = await startBroker({ limits: { maxConnections: 1 } })
    const first = await connectRaw(broker)
    await expect(connectRaw(broker)).rejects.toThrow()
    first.destroy()
    await broker.close()
  })

  it('E07 grants no more than four times on one connection, also when all is pipelined', async () => {
    const broker = await startBroker()
    const client = await connectRaw(broker)
    const text = (i: number) =>
      http(v2Body(broker, client, { request: `{"target":"aws","duration_seconds":${900 + i}}` }))
    client.write(Array.from({ length: 30 }, (_, i) => text(i)).join(''))
    await client.ended
    expect(broker.grants.length).toBeLessThanOrEqual(4)
    await broker.close()
  })

  it('H17 counts what is worked on, not what one client has queued: others are served', async () => {
    const broker = await startBroker({ limits: { maxInFlight: 2 } })
    let release = (): void => {}
    const arrived = new Promise<void>((resolve) => {
      broker.issue = () => {
        resolve()
        return new Promise((done) => {
          release = () => done({ body: {}, expiresAt: 1, audit: {} })
        })
      }
    })
    const [greedy, honest] = await Promise.all([connectRaw(broker), connectRaw(broker)])
    greedy!.write(http(v2Body(broker, greedy!)) + http('{}').repeat(3))
    await arrived
    broker.issue = undefined
    honest!.write(http(v2Body(broker, honest!)))
    expect((await honest!.answer()).status).toBe(200)
    release()
    await broker.close()
  })

  it('H11 gives up a grant when what is no request comes behind it', async () => {
    const broker = await startBroker()
    const client = await connectRaw(broker)
    const told = new Promise<void>((resolve) => {
      broker.issue = (_grant, { signal }) => {
        client.write('\u0000\u0001 garbage\r\n\r\n')
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('told'))
            resolve()
          })
        })
      }
    })
    client.write(http(v2Body(broker, client)))
    await told
    expect(refusalOf(await client.answer())).toBe('400 invalid_request')
    await client.ended
    expect(broker.records.map(({ event }) => event)).not.toContain('grant')
    await broker.close()
  })

  it('U05 waits no longer than a grant may take for an issuer that does not obey', async () => {
    const broker = await startBroker({ limits: { grantTimeoutMs: 1000 } }) // in which a busy machine gets as far as the issuer
    broker.issue = () => new Promise<never>(() => {})
    const client = await connectRaw(broker)
    client.write(http(v2Body(broker, client)))
    expect(refusalOf(await client.answer())).toBe('504 upstream_timeout')
    expect(broker.records.at(-1)).toMatchObject({ event: 'unknown_outcome' })
    await broker.close()
  })

  it('R05 ends what is under way, refuses what comes after, and then ends', async () => {
    const broker = await startBroker()
    let release = (): void => {}
    const arrived = new Promise<void>((resolve) => {
      broker.issue = () => {
        resolve()
        return new Promise((done) => {
          release = () => done({ body: { last: true }, expiresAt: 1, audit: {} })
        })
      }
    })
    const [busy, idle] = await Promise.all([connectRaw(broker), connectRaw(broker)])
    busy!.write(http(v2Body(broker, busy!)))
    await arrived
    const closed = broker.drain()
    release()
    expect((await busy!.answer()).body).toBe('{"last":true}')
    await closed
    await Promise.all([busy!.ended, idle!.ended])
    await broker.close()
  })
})

describe('createBrokerServer: TLS', () => {
  let broker: Harness
  beforeAll(async () => {
    const refusedKey = '00'.repeat(32)
    broker = await startBroker({ clientCa: true, refused: [refusedKey] })
  })
  afterAll(() => broker.close())
  beforeEach(() => {
    broker.records.length = 0
    broker.grants.length = 0
  })

  /** What a client with this certificate gets: a status, or `ended` without an answer. */
  async function attempt(certificate: { certPem: string; keyPem: string } | undefined): Promise<number | 'ended'> {
    const own = certificate === undefined ? {} : { cert: certificate.certPem, key: certificate.keyPem }
    const client = await connectRaw(broker, own).catch(() => undefined)
    client?.write(http(v2Body(broker, client)))
    const answer = await client?.answer().catch(() => undefined)
    client?.destroy()
    return answer?.status ?? 'ended'
  }

  it('lets in a client of the CA, and records its key', async () => {
    const certificate = await broker.pki.issue({ commonName: 'workload', usage: 'client' })
    expect(await attempt(certificate)).toBe(200)
    expect(broker.records[1]).toMatchObject({ event: 'grant', peer_spki_sha256: certificate.spkiSha256 })
  })

  it('T01 ends a connection without a client certificate', async () => {
    expect(await attempt(undefined)).toBe('ended')
    expect(broker.records).toEqual([])
  })

  it.each<[string, () => Promise<{ certPem: string; keyPem: string }>]>([
    ['of another CA', async () => (await createTestPki()).issue({ commonName: 'x', usage: 'client' })],
    [
      'that is expired',
      () => broker.pki.issue({ commonName: 'x', usage: 'client', notAfter: new Date(Date.now() - 1_000) }),
    ],
    [
      'that is not yet valid',
      () => broker.pki.issue({ commonName: 'x', usage: 'client', notBefore: new Date(Date.now() + 60_000) }),
    ],
    ['that is a CA', () => broker.pki.issue({ commonName: 'x', usage: 'client', ca: true })],
    ['for servers only', () => broker.pki.issue({ commonName: 'x', usage: 'server' })],
    ['that does not say what it is for', () => broker.pki.issue({ commonName: 'x', usage: 'none' })],
    ['with an RSA key of 1024 bits', () => broker.pki.issue({ commonName: 'x', usage: 'client', keyType: 'RSA-1024' })],
  ])('T04 ends a connection with a certificate %s', async (_name, issue) => {
    expect(await attempt(await issue())).toBe('ended')
    expect(broker.grants).toEqual([])
    expect(broker.connectionErrors.length).toBeGreaterThan(0)
  })

  it('T06 ends a connection whose key the operator turned away', async () => {
    const certificate = await broker.pki.issue({ commonName: 'x', usage: 'client' })
    const strict = await startBroker({ clientCa: true, refused: [certificate.spkiSha256], pki: broker.pki })
    const client = await connectRaw(strict, { cert: certificate.certPem, key: certificate.keyPem })
    client.write(http('{}'))
    await expect(client.answer()).rejects.toThrow()
    expect(strict.connectionErrors).toEqual([expect.objectContaining({ reason: 'ERR_PEER_REFUSED' })])
    await strict.close()
  })

  it('T07 T08 T09 needs the certificate that the rule names, by the exact name of the exact kind', async () => {
    const [known, unknown, smuggled] = await Promise.all([
      broker.pki.issue({ commonName: 'known', usage: 'client', uri: ['spiffe://example.com/reader'] }),
      broker.pki.issue({
        commonName: 'known',
        usage: 'client',
        dns: ['spiffe://example.com/reader', 'SPIFFE.example.com'],
      }),
      broker.pki.issue({ commonName: 'known', usage: 'client', dns: ['a, URI:spiffe://example.com/reader, b'] }),
    ])
    const { POLICY } = await import('../harness.ts')
    const rule = { ...POLICY.rules[0]!, peer: { uri: ['spiffe://example.com/reader'] } }
    const strict = await startBroker({ clientCa: true, pki: broker.pki, policy: { ...POLICY, rules: [rule] } })
    const codes = []
    for (const { certPem, keyPem } of [known, unknown, smuggled]) {
      const client = await connectRaw(strict, { cert: certPem, key: keyPem })
      client.write(http(v2Body(strict, client)))
      codes.push((await client.answer()).status)
      client.destroy()
    }
    expect(codes).toEqual([200, 403, 403])
    expect(strict.records.at(-1)).toMatchObject({ event: 'deny', reason: 'peer.unmapped' })
    await strict.close()
  })

  it('E28 refuses an attestation that commits to another client key', async () => {
    const [a, b] = await Promise.all(['a', 'b'].map((commonName) => broker.pki.issue({ commonName, usage: 'client' })))
    const client = await connectRaw(broker, { cert: a!.certPem, key: a!.keyPem })
    const channel = { ...client.channel, clientSpkiSha256: new Uint8Array(Buffer.from(b!.spkiSha256, 'hex')) }
    client.write(http(v2Body(broker, { channel })))
    expect(refusalOf(await client.answer())).toBe('401 binding_mismatch')
    client.destroy()
  })

  it('E25 T13 speaks nothing below TLS 1.3', async () => {
    await expect(connectRaw(broker, { maxVersion: 'TLSv1.2' })).rejects.toMatchObject({
      code: expect.stringContaining('PROTOCOL_VERSION'),
    })
  })

  it('T12 ends a TCP connection that says nothing', async () => {
    const quick = await startBroker({ limits: { handshakeTimeoutMs: 100 } })
    const silent = netConnect(quick.port, '127.0.0.1')
    silent.on('error', () => {}).resume()
    await once(silent, 'close')
    await quick.close()
  }, 5_000)

  it('T18 survives a client that resets in mid handshake', async () => {
    const socket = netConnect(broker.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(Buffer.from('160301020001000100', 'hex'))
    socket.resetAndDestroy()
    const half = tlsConnect({ port: broker.port, host: '127.0.0.1', ca: broker.pki.caPem })
    half.on('error', () => {})
    half.destroy()
    const certificate = await broker.pki.issue({ commonName: 'workload', usage: 'client' })
    expect(await attempt(certificate)).toBe(200)
  })
})
