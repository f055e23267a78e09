import { createHmac } from 'node:crypto'
import { bindingNonce } from '@hardbound/ekm-tls'
import { startRelay } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { BrokerError } from '../src/index.ts'
import {
  type Attested,
  AUDIENCE,
  ask,
  connectRaw,
  goV1Body,
  type Harness,
  http,
  IMAGE,
  type RawClient,
  ROLE,
  refusalOf,
  SECRETS,
  startBroker,
  v2Body,
  WORKLOAD,
} from './harness.ts'

describe('createBroker', () => {
  let broker: Harness
  beforeAll(async () => {
    broker = await startBroker({ goV1: { audience: 'https://go.example.com' } })
  })
  afterAll(() => broker.close())
  beforeEach(() => {
    broker.records.length = 0
    broker.grants.length = 0
    broker.issue = undefined
    broker.append = undefined
  })
  // C.0: no secret leaves by the audit log, and a good grant succeeds after whatever came before.
  afterEach(async () => {
    const log = JSON.stringify(broker.records)
    for (const secret of Object.values(SECRETS)) expect(log).not.toContain(secret)
    expect(log).not.toMatch(/eyJ/)
    broker.issue = undefined
    broker.append = undefined
    expect((await ask(broker, (client) => v2Body(broker, client))).status).toBe(200)
  })

  const v2 = (it?: Attested) => ask(broker, (client) => v2Body(broker, client, it))

  /** Z0 and D1 of C.0: nothing went upstream, and exactly one record says why. */
  function expectDenied(reason: string): void {
    expect(broker.grants).toEqual([])
    expect(broker.records).toEqual([expect.objectContaining({ event: 'deny', reason, requestId: expect.any(String) })])
  }

  it('G1 H22 grants what the rule says, and records it before the answer leaves', async () => {
    const { status, headers, body } = await v2()
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    expect(JSON.parse(body)).toMatchObject({ Version: 1, ...{ SecretAccessKey: SECRETS.secretAccessKey } })
    expect(body.endsWith('}')).toBe(true)
    expect(broker.grants).toEqual([
      expect.objectContaining({ action: 'AssumeRole', roleArn: ROLE, durationSeconds: 3600 }),
    ])
    expect(broker.records.map(({ event }) => event)).toEqual(['intent', 'grant'])
    expect(broker.records[1]).toMatchObject({
      protocol: 'v2',
      rule: 'reader',
      image_digest: IMAGE,
      project_number: '1234567890',
      role_arn: ROLE,
      aws_access_key_id: 'ASIAIOSFODNN7EXAMPLE',
      token_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      policy_version: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  describe('binding', () => {
    it('E01 E22 refuses a token that a relay with its own valid certificate passes on', async () => {
      const own = await broker.pki.issue({ commonName: 'relay', dns: ['broker.example.com'], ip: ['127.0.0.1'] })
      const relay = await startRelay({
        ...own,
        targetPort: broker.port,
        caPem: broker.pki.caPem,
        targetServerName: 'broker.example.com',
      })
      const victim = await connectRaw({ pki: broker.pki, port: relay.port })
      victim.write(http(v2Body(broker, victim)))
      expect(refusalOf(await victim.answer())).toBe('401 binding_mismatch')
      expect(relay.bytes).toBeGreaterThan(0)
      expectDenied('binding.nonce0')
      victim.destroy()
      await relay.close()
    })

    it('E02 refuses the bare keying material as a nonce, as an oracle workload would attest it', async () => {
      const answer = await ask(broker, (client) =>
        v2Body(broker, client, { nonces: [Buffer.from(client.channel.ekm).toString('hex')] }),
      )
      expect(refusalOf(answer)).toBe('401 binding_mismatch')
      expectDenied('binding.nonce0')
    })

    it('E03 refuses an attestation made for another connection of the same client', async () => {
      const first = await connectRaw(broker)
      const body = v2Body(broker, first)
      expect(refusalOf(await ask(broker, () => body))).toBe('401 binding_mismatch')
      expectDenied('binding.nonce0')
      first.destroy()
    })

    it('E06 E08 grants once for one attestation on one connection, however its body is written', async () => {
      const client = await connectRaw(broker)
      const body = v2Body(broker, client)
      client.write(http(body))
      expect((await client.answer()).status).toBe(200)
      const { attestation, request } = JSON.parse(body) as Record<string, string>
      client.write(http(JSON.stringify({ request, attestation }, null, 1)))
      expect(refusalOf(await client.answer())).toBe('409 replayed')
      expect(broker.grants).toHaveLength(1)
      await client.ended
    })

    it('E07 serves four requests on one connection, each with its own attestation, and then ends it', async () => {
      const client = await connectRaw(broker)
      for (let i = 0; i < 4; i++) {
        client.write(http(v2Body(broker, client, { request: `{"target":"aws","duration_seconds":${900 + i}}` })))
        const { status, headers } = await client.answer()
        expect([status, headers.connection]).toEqual([200, i === 3 ? 'close' : 'keep-alive'])
      }
      await client.ended
      expect(broker.grants.map(({ durationSeconds }) => durationSeconds)).toEqual([900, 901, 902, 903])
    })

    it('E09 grants once for two identical requests at the same instant', async () => {
      const client = await connectRaw(broker)
      const text = http(v2Body(broker, client))
      client.write(text + text)
      expect([(await client.answer()).status, refusalOf(await client.answer())]).toEqual([200, '409 replayed'])
      expect(broker.grants).toHaveLength(1)
      client.destroy()
    })

    it('E13 refuses Go-v1 nonces on the v2 route, and a v2 body on the Go-v1 route', async () => {
      const nonces = await ask(broker, (client) => {
        const ekm = Buffer.from(client.goV1Ekm).toString('hex')
        return v2Body(broker, client, { nonces: [ekm, ekm] })
      })
      expect(refusalOf(nonces)).toBe('401 binding_mismatch')
      expectDenied('binding.format')
      expect(refusalOf(await ask(broker, (client) => v2Body(broker, client), '/token'))).toBe('400 invalid_request')
    })

    it('E14 refuses a request that differs from the attested one by one space, or by the order of its keys', async () => {
      for (const change of [
        (it: string) => `${it} `,
        () => `{"role_arn":"${ROLE}","target":"aws","duration_seconds":3600}`,
      ]) {
        broker.records.length = 0
        const answer = await ask(broker, (client) => {
          const body = JSON.parse(v2Body(broker, client)) as { attestation: string; request: string }
          return JSON.stringify({ ...body, request: change(body.request) })
        })
        expect(refusalOf(answer)).toBe('401 binding_mismatch')
        expectDenied('binding.nonce0')
      }
    })

    it.each<[string, (nonce: string) => string[]]>([
      ['E15 padded', (nonce) => [`${nonce}=`]],
      ['E15 in upper case', (nonce) => [nonce.toUpperCase()]],
      ['E15 as hex', (nonce) => [Buffer.from(nonce, 'base64url').toString('hex')]],
      ['E18 twice', (nonce) => [nonce, nonce]],
      ['E18 with another one behind', (nonce) => [nonce, 'x'.repeat(43)]],
      ['E18 with another one before', (nonce) => ['x'.repeat(43), nonce]],
      ['E20 not at all', () => []],
    ])('refuses the right nonce %s', async (_name, change) => {
      const answer = await ask(broker, (client) => {
        const request = '{"target":"aws"}'
        return v2Body(broker, client, { request, nonces: change(bindingNonce(client.channel, Buffer.from(request))) })
      })
      expect(refusalOf(answer)).toMatch(/^401 (binding_mismatch|attestation_rejected)$/)
      expect(broker.grants).toEqual([])
    })

    it.each([null, [], 7, [7], [['x']], { toString: 'x' }])('E19 E20 refuses %j as eat_nonce', async (eatNonce) => {
      const answer = await v2({ claims: { eat_nonce: eatNonce } })
      expect(refusalOf(answer)).toMatch(/^(401|403) /)
      expect(broker.grants).toEqual([])
    })
  })

  describe('attestation', () => {
    it.each<[string, Attested, string, string]>([
      ['K15 another audience', { audience: 'https://other.example.com' }, '401 attestation_rejected', 'jwt.aud'],
      ['K14 another issuer', { claims: { iss: 'https://accounts.google.com' } }, '401 attestation_rejected', 'jwt.iss'],
      ['K11 an expired token', { claims: { exp: 1 } }, '401 attestation_rejected', 'jwt.exp'],
      [
        'K04 K24 a debug image, though the policy says nothing of it',
        { claims: { dbgstat: 'enabled' } },
        '403 policy_denied',
        'claim.dbgstat',
      ],
      ['K05 a plain VM', { claims: { swname: 'GCE' } }, '403 policy_denied', 'claim.swname'],
      ['K07 no secure boot', { claims: { secboot: false } }, '403 policy_denied', 'claim.secboot'],
    ])('refuses %s', async (_name, it, code, reason) => {
      expect(refusalOf(await v2(it))).toBe(code)
      expectDenied(reason)
    })

    it('J10 refuses a token whose signature is not right', async () => {
      const answer = await ask(broker, (client) => {
        const body = JSON.parse(v2Body(broker, client)) as { attestation: string; request: string }
        const [header, payload, signature] = body.attestation.split('.') as [string, string, string]
        const other = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`
        return JSON.stringify({ ...body, attestation: `${header}.${payload}.${other}` })
      })
      expect(refusalOf(answer)).toBe('401 attestation_rejected')
      expectDenied('jwt.sig')
    })

    it('J19 refuses a token over 16 KiB before looking at it', async () => {
      const body = JSON.stringify({ attestation: 'e30.'.repeat(4_500), request: '{"target":"aws"}' })
      expect(refusalOf(await ask(broker, () => body))).toBe('413 payload_too_large')
      expectDenied('jwt.size')
    })

    it('Y05 answers 503 with Retry-After while the issuer’s keys cannot be had', async () => {
      const fresh = await startBroker()
      fresh.issuer.jwksFault = (_request, response) => response.writeHead(500).end()
      const answer = await ask(fresh, (client) => v2Body(fresh, client))
      expect(refusalOf(answer)).toBe('503 jwks_unavailable')
      expect(answer.headers['retry-after']).toBe('10')
      await fresh.close()
    })
  })

  describe('request', () => {
    it.each([
      ['H07 an unknown key', '{"target":"aws","policy":"{}"}', '400 invalid_request'],
      ['H07 a key twice', '{"target":"aws","target":"aws"}', '400 invalid_request'],
      ['H07 __proto__', '{"target":"aws","__proto__":{"role_arn":"x"}}', '400 invalid_request'],
      ['P13 another action', '{"target":"aws","action":"GetFederationToken"}', '400 invalid_request'],
      ['P13 GetSessionToken on v2', '{"target":"aws","use_assume_role":false}', '400 invalid_request'],
      ['P15 a session name of its own', '{"target":"aws","session_name":"root"}', '400 invalid_request'],
      ['P14 a duration of 0', '{"target":"aws","duration_seconds":0}', '400 invalid_request'],
      ['P14 a duration of 899', '{"target":"aws","duration_seconds":899}', '400 invalid_request'],
      ['P14 a duration of 43201', '{"target":"aws","duration_seconds":43201}', '400 invalid_request'],
      ['P14 a broken duration', '{"target":"aws","duration_seconds":901.5}', '400 invalid_request'],
      ['P14 a negative duration', '{"target":"aws","duration_seconds":-1}', '400 invalid_request'],
      ['P14 a duration as text', '{"target":"aws","duration_seconds":"3600"}', '400 invalid_request'],
      ['P14 a duration with an exponent', '{"target":"aws","duration_seconds":1e3}', '400 invalid_request'],
      ['P14 a duration of null', '{"target":"aws","duration_seconds":null}', '400 invalid_request'],
      ['P14 2^53', '{"target":"aws","duration_seconds":9007199254740992}', '400 invalid_request'],
      ['no target', '{}', '400 invalid_request'],
      ['an unknown target', '{"target":"gcp"}', '400 invalid_request'],
      ['no object', '[]', '400 invalid_request'],
      ['P11 another role', '{"target":"aws","role_arn":"arn:aws:iam::111122223333:role/admin"}', '403 policy_denied'],
      [
        'P11 another account',
        '{"target":"aws","role_arn":"arn:aws:iam::444455556666:role/reader"}',
        '403 policy_denied',
      ],
      [
        'P11 another partition',
        '{"target":"aws","role_arn":"arn:aws-cn:iam::111122223333:role/reader"}',
        '403 policy_denied',
      ],
      ['P11 a trailing space', `{"target":"aws","role_arn":"${ROLE} "}`, '403 policy_denied'],
      [
        'P11 a path that goes up',
        '{"target":"aws","role_arn":"arn:aws:iam::111122223333:role/x/../reader"}',
        '403 policy_denied',
      ],
      ['P11 a wildcard', '{"target":"aws","role_arn":"arn:aws:iam::111122223333:role/*"}', '403 policy_denied'],
      [
        'P22 Azure, where no rule grants it',
        '{"target":"azure","scope":"https://graph.microsoft.com/.default"}',
        '403 policy_denied',
      ],
    ])('refuses %s', async (_name, request, code) => {
      expect(refusalOf(await v2({ request }))).toBe(code)
      expect(broker.grants).toEqual([])
      expect(broker.records).toEqual([expect.objectContaining({ event: 'deny' })])
    })

    it.each<[string, string]>([
      ['H05 nothing', ''],
      ['no JSON', 'x'],
      ['H07 a key twice', '{"attestation":"x","attestation":"y","request":"{}"}'],
      ['H07 an unknown key', '{"attestation":"x","request":"{}","role_arn":"x"}'],
      ['a request that is no text', '{"attestation":"x","request":{}}'],
      ['H08 10 000 levels', `{"attestation":${'['.repeat(10_000)}${']'.repeat(10_000)},"request":"{}"}`],
      ['H09 60 000 brackets', '['.repeat(60_000)],
      ['a key twice, one of them escaped', '{"attestation":"x","\\u0061ttestation":"y","request":"{}"}'],
    ])('refuses as a body: %s', async (_name, body) => {
      expect(refusalOf(await ask(broker, () => body))).toBe('400 invalid_request')
      expect(broker.records).toEqual([expect.objectContaining({ event: 'deny' })])
    })

    it('P12 uses the one role of the rule where the request names none; P14 caps the duration', async () => {
      expect((await v2({ request: '{"target":"aws","duration_seconds":43200}' })).status).toBe(200)
      expect(broker.grants).toEqual([expect.objectContaining({ roleArn: ROLE, durationSeconds: 3600 })])
    })

    it('H10 L07 keeps what the client sends out of the records', async () => {
      const nasty = 'a\r\n{"event":"grant"}\u001b[31m\u2028'
      await v2({ request: JSON.stringify({ target: 'aws', role_arn: nasty }) })
      expect(JSON.stringify(broker.records)).not.toContain('[31m')
    })
  })

  describe('Go-v1', () => {
    const audience = 'https://go.example.com'
    const goV1 = (it: Parameters<typeof goV1Body>[2] = {}): Promise<Awaited<ReturnType<RawClient['answer']>>> =>
      ask(broker, (client) => goV1Body(broker, client, { audience, ...it }), '/token')

    it('grants by the same rules, audited as Go-v1, with nothing behind the JSON', async () => {
      const { status, body } = await goV1()
      expect(status).toBe(200)
      expect(body.endsWith('}')).toBe(true)
      const fields = ['Version', 'AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration']
      expect(Object.keys(JSON.parse(body) as object)).toEqual(fields)
      expect(broker.records[1]).toMatchObject({
        event: 'grant',
        protocol: 'go-v1',
        role_arn: ROLE,
        duration_seconds: 900,
      })
      expect(broker.grants[0]!.roleSessionName).not.toBe('x')
    })

    it.each<[string, Parameters<typeof goV1Body>[2], string, string]>([
      ['the audience of v2', { audience: AUDIENCE }, '401 attestation_rejected', 'jwt.aud'],
      [
        'J03 a request signed with another key',
        { key: new Uint8Array(32) },
        '401 binding_mismatch',
        'binding.token_jwt',
      ],
      ['E16 the nonces swapped', { nonces: ([a, b]) => [b!, a!] }, '401 binding_mismatch', 'binding.nonce0'],
      [
        'E15 hex in upper case',
        { nonces: ([a, b]) => [a!.toUpperCase(), b!] },
        '401 binding_mismatch',
        'binding.nonce0',
      ],
      ['E18 a third nonce', { nonces: (it) => [...it, 'x'.repeat(10)] }, '401 binding_mismatch', 'binding.format'],
      [
        'E14 the hash of another request',
        { nonces: ([a]) => [a!, '0'.repeat(64)] },
        '401 binding_mismatch',
        'binding.nonce1',
      ],
      [
        'P13 GetSessionToken without a rule for it',
        { claims: { use_assume_role: false } },
        '403 policy_denied',
        'request.action',
      ],
      [
        'P11 another role',
        { claims: { role_arn: 'arn:aws:iam::111122223333:role/admin' } },
        '403 policy_denied',
        'request.role_arn',
      ],
      ['P14 a short duration', { claims: { duration: 60 } }, '400 invalid_request', 'token_jwt.duration'],
      ['an unknown claim', { claims: { policy: '{}' } }, '400 invalid_request', 'token_jwt.unknown'],
    ])('refuses %s', async (_name, it, code, reason) => {
      expect(refusalOf(await goV1(it))).toBe(code)
      expectDenied(reason)
    })

    it.each(['none', 'HS512'])(
      'J01 J03 refuses a request token whose header says %s, however it is signed',
      async (alg) => {
        const answer = await ask(
          broker,
          ({ goV1Ekm }) => {
            const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
            const signed = `${encode({ alg, typ: 'JWT' })}.${encode({ use_assume_role: true, duration: 900 })}`
            const mac = createHmac('sha256', goV1Ekm).update(signed).digest('base64url')
            return JSON.stringify({ token_jwt: `${signed}.${mac}`, attestation_jwt: 'e30.e30.e30' })
          },
          '/token',
        )
        expect(refusalOf(answer)).toBe('400 invalid_request')
        expectDenied('token_jwt.alg')
      },
    )

    it('is off unless turned on', async () => {
      const plain = await startBroker()
      const answer = await ask(plain, (client) => goV1Body(plain, client), '/token')
      expect(refusalOf(answer)).toBe('404 not_found')
      await plain.close()
    })
  })

  describe('audit and upstream', () => {
    it('L01 asks nothing upstream and grants nothing when it cannot be recorded', async () => {
      broker.append = () => Promise.reject(new BrokerError('audit_unavailable', 'audit.write'))
      const answer = await v2()
      expect(refusalOf(answer)).toBe('503 audit_unavailable')
      expect(answer.headers['retry-after']).toBeDefined()
      expect(broker.grants).toEqual([])
    })

    it('L01 keeps the credentials when the record of the grant fails', async () => {
      broker.append = async (record) => {
        if (record.event === 'grant') throw new BrokerError('audit_unavailable', 'audit.write')
        broker.records.push(record)
      }
      const answer = await v2()
      expect(refusalOf(answer)).toBe('503 audit_unavailable')
      expect(answer.body).not.toContain('canary')
      expect(broker.records.map(({ event }) => event)).toEqual(['intent', 'deny'])
      // The session exists, and nobody has it: L18.
      expect(broker.records[1]).toMatchObject({ aws_access_key_id: 'ASIAIOSFODNN7EXAMPLE' })
    })

    it('U01 passes on the code of an upstream refusal, and nothing else of it; the record has its id', async () => {
      const facts = { aws_request_id: 'c6104cbe', attempts: 1 }
      broker.issue = () => Promise.reject(new BrokerError('upstream_rejected', 'upstream.access_denied', { facts }))
      expect(refusalOf(await v2())).toBe('502 upstream_rejected')
      expect(broker.records.at(-1)).toMatchObject({ event: 'deny', reason: 'upstream.access_denied', ...facts })
      broker.issue = () => Promise.reject(new Error(`boom ${SECRETS.sessionToken}`))
      expect(refusalOf(await v2())).toBe('500 internal')
    })

    it('U05 records that nobody knows what upstream did', async () => {
      broker.issue = () => Promise.reject(new BrokerError('upstream_timeout', 'upstream.unknown_outcome'))
      expect(refusalOf(await v2())).toBe('504 upstream_timeout')
      expect(broker.records.at(-1)).toMatchObject({ event: 'unknown_outcome' })
    })

    it('U09 asks nothing upstream when the client left while the intent was recorded', async () => {
      const client = await connectRaw(broker)
      const recorded = new Promise<void>((resolve) => {
        broker.append = async (record) => {
          broker.records.push(record)
          if (record.event !== 'intent') return resolve()
          client.destroy()
          await client.ended
          // The server's end closes a few turns later than the client's.
          for (let turns = 0; turns < 50; turns++) await new Promise((next) => setImmediate(next))
        }
      })
      client.write(http(v2Body(broker, client)))
      await recorded
      expect(broker.grants).toEqual([])
      expect(broker.records.at(-1)).toMatchObject({ event: 'abandoned' })
    })

    it('U09 stops asking upstream when the client has left, and records it', async () => {
      const client = await connectRaw(broker)
      const aborted = new Promise<void>((resolve) => {
        broker.issue = (_grant, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              resolve()
              reject(new BrokerError('request_timeout', 'abandoned'))
            })
            client.destroy()
          })
      })
      client.write(http(v2Body(broker, client)))
      await aborted
      await new Promise<void>((resolve) => {
        const look = (): unknown => (broker.records.at(-1)?.event === 'abandoned' ? resolve() : setImmediate(look))
        look()
      })
    })
  })

  it('R09 mixes up nothing: many grants at once, each for its own workload', async () => {
    broker.issue = async (grant) => ({
      body: { name: (grant as { roleSessionName: string }).roleSessionName },
      expiresAt: 1,
      audit: {},
    })
    const names = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const claims = {
          submods: { ...WORKLOAD.submods, gce: { project_number: '1234567890', instance_id: String(1000 + i) } },
        }
        const { body } = await v2({ claims })
        return (JSON.parse(body) as { name: string }).name
      }),
    )
    expect(names).toEqual(Array.from({ length: 20 }, (_, i) => `hb-${1000 + i}`))
  })
})
