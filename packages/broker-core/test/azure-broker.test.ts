import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import {
  type Attested,
  ask,
  goV1Body,
  type Harness,
  IMAGE,
  refusalOf,
  SECRETS,
  startBroker,
  v2Body,
} from './harness.ts'

const TENANT = '11111111-2222-4333-8444-555555555555'
const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'
const STORAGE = 'https://storage.azure.com/.default'
const POLICY = {
  version: 1,
  rules: [
    {
      id: 'blobs',
      workload: { image_digests: [IMAGE] },
      protocols: ['v2', 'go-v1'],
      grant: { azure: { tenant_id: TENANT, client_id: CLIENT, scopes: [STORAGE] } },
    },
  ],
}

describe('createBroker, for Azure', () => {
  let broker: Harness
  beforeAll(async () => {
    broker = await startBroker({ policy: POLICY, goV1: {} })
  })
  afterAll(() => broker.close())
  afterEach(() => {
    expect(JSON.stringify(broker.records)).not.toContain(SECRETS.accessToken)
    broker.records.length = 0
    broker.azureGrants.length = 0
  })

  const v2 = (request: object, more?: Attested) =>
    ask(broker, (client) => v2Body(broker, client, { request: JSON.stringify(request), ...more }))
  const goV1 = (request: Record<string, unknown>) =>
    ask(broker, (client) => goV1Body(broker, client, { request }), '/token')

  /** Z0 and D1 of C.0. */
  function expectDenied(reason: string): void {
    expect(broker.azureGrants).toEqual([])
    expect(broker.records).toEqual([expect.objectContaining({ event: 'deny', reason })])
  }

  const granted = { target: 'azure', tenantId: TENANT, clientId: CLIENT, scope: STORAGE }

  it('grants the scope, and records for whom', async () => {
    const { status, body } = await v2({ target: 'azure', scope: STORAGE })
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual({
      access_token: SECRETS.accessToken,
      token_type: 'Bearer',
      expires_on: expect.any(Number),
    })
    expect(broker.azureGrants).toEqual([granted])
    expect(broker.records).toEqual(
      ['intent', 'grant'].map((event) =>
        expect.objectContaining({
          event,
          rule: 'blobs',
          azure_tenant_id: TENANT,
          azure_client_id: CLIENT,
          azure_scope: STORAGE,
        }),
      ),
    )
  })

  it('takes a request that names tenant and client as the rule has them', async () => {
    const request = { target: 'azure', scope: STORAGE, tenant_id: TENANT, client_id: CLIENT }
    expect((await v2(request)).status).toBe(200)
    expect(broker.azureGrants).toEqual([granted])
  })

  it.each<[string, object, string, string]>([
    ['P22 another scope', { scope: 'https://graph.microsoft.com/.default' }, '403 policy_denied', 'request.scope'],
    ['P22 two scopes', { scope: `${STORAGE} ${STORAGE}` }, '403 policy_denied', 'request.scope'],
    ['P22 a list of scopes', { scope: [STORAGE] }, '400 invalid_request', 'request.scope'],
    ['P22 no scope', {}, '400 invalid_request', 'request.scope'],
    ['P22 an empty scope', { scope: '' }, '400 invalid_request', 'request.scope'],
    ['P23 another tenant', { scope: STORAGE, tenant_id: CLIENT }, '403 policy_denied', 'request.tenant_id'],
    ['P23 common', { scope: STORAGE, tenant_id: 'common' }, '403 policy_denied', 'request.tenant_id'],
    ['P23 no tenant', { scope: STORAGE, tenant_id: '' }, '400 invalid_request', 'request.tenant_id'],
    ['P23 no client', { scope: STORAGE, client_id: '' }, '400 invalid_request', 'request.client_id'],
    ['P23 another client', { scope: STORAGE, client_id: TENANT }, '403 policy_denied', 'request.client_id'],
    [
      'P23 an authority',
      { scope: STORAGE, authority: 'https://x.example.com' },
      '400 invalid_request',
      'request.unknown',
    ],
    ['C14 claims', { scope: STORAGE, claims: '{}' }, '400 invalid_request', 'request.unknown'],
    ['a role beside it', { scope: STORAGE, role_arn: 'x' }, '400 invalid_request', 'request.unknown'],
  ])('refuses %s', async (_name, fields, code, reason) => {
    expect(refusalOf(await v2({ target: 'azure', ...fields }))).toBe(code)
    expectDenied(reason)
  })

  it('P23 refuses what no issuer is there for, before anything is recorded as intended', async () => {
    const without = await startBroker({ policy: POLICY, targets: ['aws'] })
    try {
      const request = JSON.stringify({ target: 'azure', scope: STORAGE })
      const answer = await ask(without, (client) => v2Body(without, client, { request }))
      expect(refusalOf(answer)).toBe('403 policy_denied')
      expect(without.records).toEqual([expect.objectContaining({ event: 'deny', reason: 'grant.no_issuer' })])
    } finally {
      await without.close()
    }
  })

  it('refuses another image', async () => {
    const claims = { submods: { container: { image_digest: `sha256:${'0'.repeat(64)}` } } }
    expect(refusalOf(await v2({ target: 'azure', scope: STORAGE }, { claims }))).toBe('403 policy_denied')
    expectDenied('claim.image_digest')
  })

  it('E13 refuses an attestation of a request to AWS', async () => {
    const answer = await ask(broker, (client) => {
      const { attestation } = JSON.parse(v2Body(broker, client, { request: '{"target":"aws"}' })) as Record<
        string,
        string
      >
      return JSON.stringify({ attestation, request: JSON.stringify({ target: 'azure', scope: STORAGE }) })
    })
    expect(refusalOf(answer)).toBe('401 binding_mismatch')
    expectDenied('binding.nonce0')
  })

  describe('Go-v1', () => {
    it('grants, and answers in the words of the Go programs', async () => {
      const { status, body } = await goV1({ tenant: TENANT, appid: CLIENT, scope: STORAGE })
      expect(status).toBe(200)
      const { expires_in: expiry, ...rest } = JSON.parse(body) as Record<string, string>
      expect(rest).toEqual({ access_token: SECRETS.accessToken })
      expect(expiry).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
      expect(Date.parse(expiry!)).toBeGreaterThan(Date.now())
      expect(broker.azureGrants).toEqual([granted])
    })

    it('takes empty fields for ones left out, as Go sends them', async () => {
      expect((await goV1({ tenant: '', appid: '', scope: STORAGE })).status).toBe(200)
      expect(broker.azureGrants).toEqual([granted])
    })

    it.each<[string, object, string, string]>([
      ['P23 another tenant', { tenant: CLIENT, appid: CLIENT }, '403 policy_denied', 'request.tenant_id'],
      ['P23 another client', { tenant: TENANT, appid: TENANT }, '403 policy_denied', 'request.client_id'],
      ['P22 another scope', { scope: 'https://graph.microsoft.com/.default' }, '403 policy_denied', 'request.scope'],
      ['a tenant that is no text', { tenant: 1 }, '400 invalid_request', 'token_jwt.tenant'],
      ['an unknown claim', { authority: 'x' }, '400 invalid_request', 'token_jwt.unknown'],
      ['a role beside it', { role_arn: 'x' }, '400 invalid_request', 'token_jwt.unknown'],
    ])('refuses %s', async (_name, fields, code, reason) => {
      expect(refusalOf(await goV1({ scope: STORAGE, ...fields }))).toBe(code)
      expectDenied(reason)
    })
  })
})
