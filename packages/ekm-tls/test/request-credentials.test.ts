import { createHash } from 'node:crypto'
import type { TestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type AttestationSource, type BrokerClientInit, openGoV1Token, requestCredentials } from '../src/client.ts'
import { bindingNonce, GO_V1_EXPORTER, goV1Nonces, TLS_EXPORTER } from '../src/index.ts'
import { type Answer, newPki, startServer, type TestServer } from './helpers.ts'

describe('requestCredentials', () => {
  let pki: TestPki
  let server: TestServer
  let init: BrokerClientInit
  let answer: Answer
  let asked: { audience: string; nonces: readonly string[] }[]
  const attestation: AttestationSource = {
    name: 'test',
    getToken: async ({ audience, nonces }) => {
      asked.push({ audience, nonces })
      return 'e30.e30.c2ln'
    },
  }
  beforeAll(async () => {
    pki = await newPki()
    server = await startServer(pki, { exporters: [TLS_EXPORTER, GO_V1_EXPORTER], answer: () => answer })
  })
  beforeEach(() => {
    asked = []
    answer = { body: '{"Version":1}' }
    const broker = { url: server.url, address: `127.0.0.1:${server.port}`, ca: pki.caPem }
    init = { broker, audience: 'https://broker.example.com', attestation }
  })
  afterAll(() => server.close())

  it('sends the attested request and the token over the connection that the nonce commits to', async () => {
    await expect(requestCredentials(init, { target: 'aws', duration_seconds: 900 })).resolves.toEqual({ Version: 1 })
    const { path, headers, body } = server.requests.at(-1)!
    expect([path, headers['content-type']]).toEqual(['/v2/credentials', 'application/json'])
    expect(JSON.parse(body)).toEqual({
      attestation: 'e30.e30.c2ln',
      request: '{"target":"aws","duration_seconds":900}',
    })
    const nonce = bindingNonce(server.channels.at(-1)![0]!, Buffer.from('{"target":"aws","duration_seconds":900}'))
    expect(asked).toEqual([{ audience: 'https://broker.example.com', nonces: [nonce] }])
  })

  it('speaks Go-v1: label, nonces, HS256 under the keying material, and the text `ok` after the answer', async () => {
    answer = { body: '{"Version":0}\nok' }
    await expect(requestCredentials({ ...init, protocol: 'go-v1' }, { duration: 900 })).resolves.toEqual({ Version: 0 })
    const { path, body } = server.requests.at(-1)!
    const { token_jwt: tokenJwt, attestation_jwt: attestationJwt } = JSON.parse(body) as Record<string, string>
    const { ekm } = server.channels.at(-1)![1]!
    expect([path, attestationJwt]).toEqual(['/token', 'e30.e30.c2ln'])
    expect(openGoV1Token(tokenJwt!, ekm)?.claims.toString()).toBe('{"duration":900}')
    expect(asked[0]!.nonces).toEqual(goV1Nonces(ekm, tokenJwt!))
  })

  it.each([
    ['v2', '{"Version":1}ok'],
    ['go-v1', '{"Version":1}okay'],
    ['go-v1', 'ok'],
    ['v2', '[]'],
    ['v2', ''],
  ] as const)('tolerates nothing else after the JSON, or instead of it: %s %j', async (protocol, body) => {
    answer = { body }
    await expect(requestCredentials({ ...init, protocol }, {})).rejects.toMatchObject({ code: 'ERR_BROKER_RESPONSE' })
  })

  it('posts to the path of the URL where it has one', async () => {
    await requestCredentials({ ...init, broker: { ...init.broker, url: `${server.url}/here?x=1` } }, {})
    expect(server.requests.at(-1)!.path).toBe('/here?x=1')
  })

  it('T16 asks for no attestation before it knows that the broker is the right one', async () => {
    const wrong = { ...init.broker, ca: (await newPki()).caPem }
    await expect(requestCredentials({ ...init, broker: wrong }, {})).rejects.toMatchObject({
      code: 'ERR_EKM_UNTRUSTED',
    })
    expect(asked).toEqual([])
  })

  it('C01 sends nothing to the broker when there is no token', async () => {
    const before = server.requests.length
    const broken = { name: 'broken', getToken: () => Promise.reject(new Error('no token')) }
    await expect(requestCredentials({ ...init, attestation: broken }, {})).rejects.toThrow('no token')
    expect(server.requests.length).toBe(before)
  })

  it.each([301, 302, 307, 308])('C06 does not follow a %d', async (status) => {
    const elsewhere = await startServer(pki)
    answer = { status, headers: { location: `https://127.0.0.1:${elsewhere.port}/` } }
    await expect(requestCredentials(init, {})).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
      refusal: { status, code: 'unknown' },
    })
    expect(elsewhere.requests).toEqual([])
    await elsewhere.close()
  })

  it('tells code, request id and Retry-After of a refusal, and nothing else of its body', async () => {
    const secret = createHash('sha256').update('secret').digest('hex')
    answer = {
      status: 503,
      headers: { 'retry-after': '7' },
      body: JSON.stringify({ error: { code: 'overloaded', request_id: 'r-1', note: secret } }),
    }
    const error = await requestCredentials(init, {}).catch((it: unknown) => it)
    expect(error).toMatchObject({
      code: 'ERR_BROKER_REFUSED',
      refusal: { status: 503, code: 'overloaded', requestId: 'r-1', retryAfterSeconds: 7 },
    })
    expect(String(error)).not.toContain(secret)
  })

  it.each(['<html>', '{"error":{"code":"\\u001b[31m","request_id":"a b"}}', '{"error":7}'])(
    'takes nothing from a refusal that it cannot read: %j',
    async (body) => {
      answer = { status: 403, body }
      await expect(requestCredentials(init, {})).rejects.toMatchObject({
        refusal: { code: 'unknown', requestId: undefined },
      })
    },
  )
})
