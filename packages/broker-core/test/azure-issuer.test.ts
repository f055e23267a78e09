import { createHash } from 'node:crypto'
import { getEventListeners } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { inspect } from 'node:util'
import { runInThisContext } from 'node:vm'
import type { HttpClient } from '@azure/core-rest-pipeline'
import { createTestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { AzureApplication } from '../src/azure-application.ts'
import { type AzureIssuer, type AzureIssuerInit, createAzureIssuer } from '../src/azure-issuer.ts'
import { BrokerError } from '../src/errors.ts'
import { type EntraSdk, loadSdk, requestToken } from '../src/internal/entra-msal.ts'
import { createEntraAgent, postForm } from '../src/internal/entra-post.ts'
import type { AzureGrant, Grant } from '../src/types.ts'
import * as fakes from './fake-entra.ts'
import {
  answer,
  CLAIMS,
  CLIENT,
  errorJson,
  jwt,
  SCOPE,
  startFakeEntra,
  TENANT,
  TOKEN,
  tokenJson,
} from './fake-entra.ts'

const START = Date.parse('2026-08-22T12:00:00Z')
const SECRET = 'CANARY~secret.EXAMPLE'
const GRANT: AzureGrant = { target: 'azure', tenantId: TENANT, clientId: CLIENT, scope: SCOPE }
const PAST = answer('<html>CANARY-PAGE</html>', 500, { 'content-type': 'text/html' })

/** Node's own modules look there; code under Jest has a copy. */
const realProcess = runInThisContext('process') as NodeJS.Process
const realEnv = realProcess.env

let now = START
let entra: Awaited<ReturnType<typeof startFakeEntra>>
const issuers: AzureIssuer[] = []
const context = (signal = new AbortController().signal) => ({ requestId: 'req-1', signal })

function application(changes: Partial<AzureApplication> = {}): AzureApplication {
  const credential = { kind: 'secret', secret: () => Promise.resolve(SECRET) } as const
  return { tenantId: TENANT, clientId: CLIENT, authorityHost: entra.authorityHost, credential, ...changes }
}
function issuer(init: Partial<AzureIssuerInit> = {}): AzureIssuer {
  const made = createAzureIssuer({ applications: [application()], ca: entra.ca, clock: () => now, ...init })
  issuers.push(made)
  return made
}
const issue = (init: Partial<AzureIssuerInit> = {}, grant: Partial<AzureGrant> = {}) =>
  issuer(init).issue({ ...GRANT, ...grant }, context())
const refusalOf = async (work: Promise<unknown>): Promise<BrokerError> =>
  await work.then(
    () => {
      throw new Error('was granted')
    },
    (error) => {
      expect(error).toBeInstanceOf(BrokerError)
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/CANARY|AADSTS/)
      return error as BrokerError
    },
  )
const refused = (init: Partial<AzureIssuerInit> = {}, grant: Partial<AzureGrant> = {}) => refusalOf(issue(init, grant))

async function until(held: () => boolean): Promise<void> {
  while (!held()) await new Promise((resolve) => setTimeout(resolve, 5))
}

beforeAll(async () => {
  entra = await startFakeEntra(answer(tokenJson()))
  await issue() // the SDK is loaded
})
beforeEach(() => {
  now = START
  entra.script = answer(tokenJson())
  entra.requests.length = 0
})
afterEach(() => {
  for (const made of issuers.splice(0)) made.close()
})
afterAll(() => void entra.close())

describe('createAzureIssuer', () => {
  it('answers with the token, and audits it without', async () => {
    entra.script = answer(tokenJson(), 200, { 'x-ms-request-id': fakes.TRACE })
    const issued = await issue()
    expect(issued).toEqual({
      body: { access_token: TOKEN, token_type: 'Bearer', expires_on: START / 1000 + 3599 },
      expiresAt: START / 1000 + 3599,
      audit: {
        azure_tenant_id: TENANT,
        azure_client_id: CLIENT,
        azure_scope: SCOPE,
        azure_cached: 'false',
        azure_token_sha256: createHash('sha256').update(TOKEN).digest('hex'),
        azure_uti: CLAIMS.uti,
        azure_request_id: fakes.TRACE,
        attempts: 1,
      },
    })
    expect(JSON.stringify(issued.audit)).not.toContain(TOKEN)
  })

  it('U24 asks the configured token URL and nothing else, with nothing but the grant in the form', async () => {
    await issue()
    const [request] = entra.requests
    expect(entra.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([`POST /${TENANT}/oauth2/v2.0/token`])
    const { 'client-request-id': correlation, ...form } = Object.fromEntries(request!.form)
    expect(form).toEqual({ client_id: CLIENT, scope: SCOPE, grant_type: 'client_credentials', client_secret: SECRET })
    expect(correlation).toMatch(/^[0-9a-f-]{36}$/)
    expect(request!.headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(request!.form.toString().length),
      'user-agent': 'hardbound-broker',
      host: expect.any(String),
      connection: 'keep-alive',
    })
  })

  it.each([
    ['AZURE_AUTHORITY_HOST', 'https://127.0.0.2:1'],
    ['AZURE_REGIONAL_AUTHORITY_NAME', 'westeurope'],
    ['HTTPS_PROXY', 'http://127.0.0.1:1'],
    ['ALL_PROXY', 'http://127.0.0.1:1'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
  ])('U10 C18 %s in the environment changes nothing', async (name, value) => {
    const local = await startFakeEntra(answer(tokenJson()))
    for (const env of [process.env, realEnv]) env[name] = value
    try {
      const authorityHost = local.authorityHost.replace('127.0.0.1', 'localhost') // MSAL puts the region before it
      const init = { applications: [application({ authorityHost })] }
      expect(await refused({ ...init, ca: entra.ca })).toMatchObject({ reason: 'upstream.connect' }) // another CA
      const trusted = { ...init, ca: local.ca }
      expect(local.requests).toEqual([])
      await issue(trusted)
      expect(local.requests).toHaveLength(1)
    } finally {
      for (const env of [process.env, realEnv]) delete env[name]
      local.close()
    }
  })

  it('speaks no TLS older than 1.2, whatever Node was told', async () => {
    const defaults = { minVersion: tls.DEFAULT_MIN_VERSION, ciphers: tls.DEFAULT_CIPHERS }
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const local = await startFakeEntra(answer(tokenJson()), old)
    Object.assign(tls, { DEFAULT_MIN_VERSION: old.minVersion, DEFAULT_CIPHERS: old.ciphers })
    try {
      const { port } = new URL(local.authorityHost)
      const socket = tls.connect({ port: Number(port), host: '127.0.0.1', ca: local.ca })
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
      socket.destroy() // it can be done
      const applications = [application({ authorityHost: local.authorityHost })]
      expect(await refused({ applications, ca: local.ca })).toMatchObject({ reason: 'upstream.connect' })
    } finally {
      Object.assign(tls, { DEFAULT_MIN_VERSION: defaults.minVersion, DEFAULT_CIPHERS: defaults.ciphers })
      local.close()
    }
  })

  it('P22 P23 serves no other application, tenant, target or scope', async () => {
    const other = '99999999-2222-4333-8444-555555555555'
    expect(await refused({}, { tenantId: other })).toMatchObject({ code: 'internal', reason: 'issuer.application' })
    expect(await refused({}, { clientId: other })).toMatchObject({ code: 'internal', reason: 'issuer.application' })
    const aws = { target: 'aws' } as Grant
    expect(await refusalOf(issuer().issue(aws, context()))).toMatchObject({ reason: 'issuer.target' })
    for (const scope of [
      '',
      '/.default',
      `${SCOPE} `,
      `${SCOPE} ${SCOPE}`,
      'offline_access',
      `${SCOPE}\n`,
      'a"/.default',
    ]) {
      expect(await refused({}, { scope })).toMatchObject({ code: 'internal', reason: 'issuer.scope' })
    }
    expect(entra.requests).toEqual([])
  })

  it('P23 C15 refuses what can not be a configuration', () => {
    const made = (changes: object) => () => createAzureIssuer({ applications: [application(changes)] })
    for (const id of ['common', 'organizations', 'example.com', '../x', `{${TENANT}}`, TENANT.replace(/^1/, 'A'), '']) {
      expect(made({ tenantId: id })).toThrow(new TypeError('"tenantId" must be a GUID in lower case'))
      expect(made({ clientId: id })).toThrow(new TypeError('"clientId" must be a GUID in lower case'))
    }
    for (const host of [
      'http://a.example',
      'https://a.example/x',
      'https://u@a.example',
      'https://a.example?x',
      'a',
      '',
    ]) {
      expect(made({ authorityHost: host })).toThrow(TypeError)
    }
    expect(made({ cloud: 'public' })).toThrow(TypeError) // there is an authority host already
    expect(made({ authorityHost: undefined, cloud: 'germany' })).toThrow(TypeError)
    expect(made({ credential: { kind: 'password' } })).toThrow(TypeError)
    expect(made({ credential: { kind: 'secret', secret: SECRET } })).toThrow(TypeError)
    expect(made({ credential: { kind: 'federated' } })).toThrow(TypeError)
    expect(() => createAzureIssuer({ applications: [] })).toThrow(TypeError)
    expect(() => createAzureIssuer({ applications: [application(), application()] })).toThrow(/twice/)
    for (const limit of ['maxConcurrency', 'maxQueue', 'maxTokens', 'attemptTimeoutMs', 'deadlineMs']) {
      expect(() => issuer({ [limit]: 0 })).toThrow(RangeError)
    }
  })

  it('U24 gives MSAL an HTTP client that answers two questions, and no retries', async () => {
    const given: { httpClient: HttpClient }[] = []
    class ClientSecretCredential {
      constructor(...[, , , options]: [string, string, string, { httpClient: HttpClient }]) {
        given.push(options)
      }
      getToken() {}
    }
    const { pipeline } = await loadSdk()
    const endpoint = {
      tenantId: TENANT,
      clientId: CLIENT,
      authorityHost: 'https://a.example',
      tokenUrl: 'https://a.example/t',
    }
    const post = (form: string) => Promise.resolve(Buffer.from(form))
    const sdk = { identity: { ClientSecretCredential }, pipeline } as unknown as EntraSdk
    await requestToken(sdk, { endpoint, scope: SCOPE, proof: { secret: SECRET }, post })
    expect(given[0]).toMatchObject({ retryOptions: { maxRetries: 0 }, disableInstanceDiscovery: true })
    const send = async (method: 'GET' | 'POST' | 'PUT', url: string, body: string | null = null) => {
      const { bodyAsText } = await given[0]!.httpClient.sendRequest(
        pipeline.createPipelineRequest({ method, url, body }),
      )
      return bodyAsText
    }
    const discovery = `https://a.example/${TENANT}/v2.0/.well-known/openid-configuration`
    expect(JSON.parse((await send('GET', discovery))!)).toMatchObject({ token_endpoint: 'https://a.example/t' })
    expect(await send('POST', 'https://b.example', 'scope=s&claims=c&x-client-SKU=x')).toBe('scope=s')
    await expect(send('GET', 'http://169.254.169.254/metadata/instance/compute/location')).rejects.toThrow(
      'not a request',
    )
    await expect(send('GET', `${discovery}?x`)).rejects.toThrow('not a request')
    await expect(send('PUT', discovery, 'x')).rejects.toThrow('not a request')
    await expect(send('POST', discovery)).rejects.toThrow('not a request')
  })

  it('says so where MSAL does not even ask', async () => {
    process.env.AZURE_REGIONAL_AUTHORITY_NAME = 'westeurope' // in front of an IP address it makes no URL
    try {
      expect(await refused()).toMatchObject({ code: 'internal', reason: 'issuer.msal', facts: { attempts: 1 } })
    } finally {
      delete process.env.AZURE_REGIONAL_AUTHORITY_NAME
    }
  })

  it('keeps clouds, tenants and applications apart', async () => {
    const clientId = '77777777-7777-4888-8999-aaaaaaaaaaaa'
    const made = issuer({ applications: [application(), application({ clientId })] })
    entra.script = (_req, res, form) =>
      res.end(tokenJson({ access_token: jwt({ ...CLAIMS, appid: form.get('client_id') }) }))
    const first = await made.issue(GRANT, context())
    const second = await made.issue({ ...GRANT, clientId }, context())
    expect(second.body.access_token).not.toBe(first.body.access_token)
    expect(second.body.access_token).toBe(jwt({ ...CLAIMS, appid: clientId }))
  })
})

describe('the cache of the Azure issuer', () => {
  it('U15 serves one token until five minutes are left', async () => {
    const made = issuer()
    const first = await made.issue(GRANT, context())
    now += (3599 - 300) * 1000
    const second = await made.issue(GRANT, context())
    expect(second).toEqual({ ...first, audit: { ...first.audit, azure_cached: 'true' } })
    expect(entra.requests).toHaveLength(1)
    now += 1000
    expect((await made.issue(GRANT, context())).expiresAt).toBe(now / 1000 + 3599)
    expect(entra.requests).toHaveLength(2)
  })

  it('refreshes short tokens at half of their life', async () => {
    entra.script = answer(tokenJson({ expires_in: 10 }))
    const made = issuer()
    await made.issue(GRANT, context())
    now += 5000
    await made.issue(GRANT, context())
    expect(entra.requests).toHaveLength(1)
    now += 1
    const { expiresAt } = await made.issue(GRANT, context())
    expect(entra.requests).toHaveLength(2)
    expect(expiresAt).toBe(Math.floor(now / 1000) + 10)
  })

  it('K13 asks anew when the clock was set back', async () => {
    const made = issuer()
    await made.issue(GRANT, context())
    now -= 1000
    await made.issue(GRANT, context())
    expect(entra.requests).toHaveLength(2)
  })

  it('does not count the time that Entra took', async () => {
    entra.script = (_req, res) => {
      now += 2000
      res.end(tokenJson())
    }
    expect((await issue()).expiresAt).toBe(START / 1000 + 3599)
  })

  it('keeps scopes apart, and no more tokens than it may', async () => {
    entra.script = answer(tokenJson({ access_token: 'opaque' }))
    const made = issuer({ maxTokens: 2 })
    const scopes = ['https://a.example/.default', 'https://b.example/.default', 'https://c.example/.default']
    for (const scope of scopes) await made.issue({ ...GRANT, scope }, context())
    expect(entra.requests.map(({ form }) => form.get('scope'))).toEqual(scopes)
    await made.issue({ ...GRANT, scope: scopes[2]! }, context())
    await made.issue({ ...GRANT, scope: scopes[1]! }, context())
    expect(entra.requests).toHaveLength(3)
    await made.issue({ ...GRANT, scope: scopes[0]! }, context()) // the oldest had to go
    expect(entra.requests).toHaveLength(4)
  })

  it('C16 asks once for callers that arrive together, whoever of them leaves', async () => {
    let open = () => {}
    entra.script = (_req, res) => {
      open = () => res.end(tokenJson())
    }
    const made = issuer()
    const controller = new AbortController()
    const leaver = refusalOf(made.issue(GRANT, context(controller.signal)))
    const others = Array.from({ length: 100 }, () => made.issue(GRANT, context()))
    controller.abort()
    expect(await leaver).toMatchObject({ code: 'upstream_timeout', reason: 'abandoned' })
    await until(() => entra.requests.length === 1)
    open()
    const cached = (await Promise.all(others)).map(({ audit }) => audit.azure_cached)
    expect(new Set(cached)).toEqual(new Set(['true'])) // the one who asked has left
    expect(entra.requests).toHaveLength(1)
  })

  it('U09 tells a caller without time from one who left, and asks nothing for either', async () => {
    const late = AbortSignal.abort(new DOMException('late', 'TimeoutError'))
    const made = issuer()
    expect(await refusalOf(made.issue(GRANT, context(late)))).toMatchObject({ reason: 'upstream.unknown_outcome' })
    expect(await refusalOf(made.issue(GRANT, context(AbortSignal.abort())))).toMatchObject({ reason: 'abandoned' })
    await made.issue(GRANT, context())
    expect(entra.requests).toHaveLength(1)
  })

  it('forgets that our credentials failed', async () => {
    entra.script = answer(errorJson('invalid_client', 7000215), 401)
    const made = issuer()
    await refusalOf(made.issue(GRANT, context()))
    entra.script = answer(tokenJson())
    await made.issue(GRANT, context())
  })

  it('reads the secret anew for every request', async () => {
    const secrets = ['CANARY-first', 'CANARY-second']
    const credential = { kind: 'secret', secret: () => Promise.resolve(secrets.shift()!) } as const
    const made = issuer({ applications: [application({ credential })] })
    await made.issue(GRANT, context())
    now += 3_599_000
    await made.issue(GRANT, context())
    expect(entra.requests.map(({ form }) => form.get('client_secret'))).toEqual(['CANARY-first', 'CANARY-second'])
  })
})

describe('the Azure issuer when Entra does not want to', () => {
  it.each([
    ['U13', 401, 'invalid_client', 7000222, 'upstream.credentials'],
    ['U13', 401, 'invalid_client', 700027, 'upstream.credentials'],
    ['U13', 400, 'unauthorized_client', 700016, 'upstream.credentials'],
    ['P22', 400, 'invalid_scope', 70011, 'upstream.scope'],
    ['P22', 400, 'invalid_resource', 500011, 'upstream.scope'],
    ['U13', 400, 'access_denied', 530003, 'upstream.access_denied'],
    ['U13', 400, 'invalid_request', 90002, 'upstream.refused'],
    ['U13', 302, 'invalid_request', 90002, 'upstream.refused'],
  ])('%s %i %s AADSTS%i is %5$s', async (_case, status, error, code, reason) => {
    entra.script = answer(errorJson(error, code), status, { location: entra.authorityHost })
    expect(await refused()).toMatchObject({
      code: 'upstream_rejected',
      status: 502,
      reason,
      facts: { aadsts: code, azure_request_id: fakes.TRACE, azure_correlation_id: fakes.CORRELATION, attempts: 1 },
    })
    expect(entra.requests).toHaveLength(1)
  })

  it('U13 takes nothing into audit but numbers and GUIDs', async () => {
    for (const value of [0, -1, 1.5, 1e9, '7000222', 'CANARY', null]) {
      const body = { error: 'CANARY', error_codes: [value], trace_id: 'CANARY', correlation_id: `${fakes.TRACE}CANARY` }
      entra.script = answer(JSON.stringify(body), 401, { 'x-ms-request-id': 'CANARY' })
      expect(await refused()).toMatchObject({ reason: 'upstream.refused', facts: { attempts: 1 } })
      expect((await refused()).facts).toEqual({ attempts: 1 })
    }
    for (const body of ['[]', 'null', '{', '"CANARY"', '{"error":"invalid_client","error":"x"}']) {
      entra.script = answer(body, 401, { 'x-ms-request-id': fakes.TRACE })
      expect((await refused()).facts).toEqual({ attempts: 1, azure_request_id: fakes.TRACE })
    }
  })

  it('U11 says 503 to HTML pages, once more asked, and sockets stay flat', async () => {
    const local = await startFakeEntra(PAST)
    const made = issuer({ applications: [application({ authorityHost: local.authorityHost })], ca: local.ca })
    try {
      for (let batch = 0; batch < 50; batch++) {
        // Different scopes, so that they don't share a request.
        const scopes = Array.from({ length: 10 }, (_, i) => `https://s${i}.example/.default`)
        await Promise.all(
          scopes.map(async (scope) => {
            expect(await refusalOf(made.issue({ ...GRANT, scope }, context()))).toMatchObject({
              code: 'upstream_unavailable',
              reason: 'upstream.server_error',
              retryAfterSeconds: 2,
              facts: { attempts: 2 },
            })
          }),
        )
      }
      expect(local.requests).toHaveLength(1000)
      expect(local.sockets.open).toBeLessThanOrEqual(10)
      expect(local.sockets.total).toBeLessThanOrEqual(10)
    } finally {
      local.close()
    }
  })

  it('asks once more after a 5xx, and is content with an answer then', async () => {
    entra.script = (req, res, form) => (entra.requests.length === 1 ? PAST : answer(tokenJson()))(req, res, form)
    expect((await issue()).audit).toMatchObject({ attempts: 2 })
    expect(entra.requests).toHaveLength(2)
  })

  it('U15 obeys Retry-After: no call, while cached tokens serve', async () => {
    const made = issuer()
    await made.issue(GRANT, context())
    entra.requests.length = 0
    entra.script = answer(errorJson('temporarily_unavailable', 90055), 429, { 'retry-after': '120' })
    const other = { ...GRANT, scope: 'https://vault.azure.net/.default' }
    expect(await refusalOf(made.issue(other, context()))).toMatchObject({
      code: 'upstream_unavailable',
      reason: 'upstream.throttled',
      retryAfterSeconds: 120,
      facts: { aadsts: 90055, attempts: 1 },
    })
    entra.script = answer(tokenJson({ access_token: 'opaque' }))
    now += 30_500
    expect(await refusalOf(made.issue(other, context()))).toMatchObject({ retryAfterSeconds: 90 })
    expect((await made.issue(GRANT, context())).audit).toMatchObject({ azure_cached: 'true' })
    expect(entra.requests).toHaveLength(1)
    now += 89_500
    await made.issue(other, context())
    expect(entra.requests).toHaveLength(2)
  })

  it('K13 U15 ends its patience when the clock was set back', async () => {
    entra.script = answer('', 429, { 'retry-after': '120' })
    const made = issuer()
    await refusalOf(made.issue(GRANT, context()))
    entra.script = answer(tokenJson())
    now -= 86_400_000
    await made.issue(GRANT, context())
  })

  it('U15 keeps a no to one scope for ten seconds: in a loop, it would have Entra throttle all of them', async () => {
    const refusedScope = { ...GRANT, scope: 'https://unknown.example/.default' }
    entra.script = (req, res, form) =>
      (form.get('scope') === SCOPE ? answer(tokenJson()) : answer(errorJson('invalid_resource', 500011), 400))(
        req,
        res,
        form,
      )
    const made = issuer()
    const no = { code: 'upstream_rejected', reason: 'upstream.scope' }
    const first = await refusalOf(made.issue(refusedScope, context()))
    expect(first).toMatchObject({ ...no, facts: { aadsts: 500_011, attempts: 1 } })
    now += 9_999
    const second = await refusalOf(made.issue(refusedScope, context()))
    expect(second).toMatchObject({ ...no, facts: { ...first.facts, attempts: 0 } })
    expect(entra.requests).toHaveLength(1)
    await made.issue(GRANT, context())
    now += 1
    await refusalOf(made.issue(refusedScope, context()))
    expect(entra.requests).toHaveLength(3)
    now -= 86_400_000
    entra.script = answer(tokenJson({ access_token: 'opaque' }))
    await made.issue(refusedScope, context())
  })

  it('U15 is patient with one application at a time', async () => {
    const clientId = '77777777-7777-4888-8999-aaaaaaaaaaaa'
    const made = issuer({ applications: [application(), application({ clientId })] })
    entra.script = (req, res, form) =>
      (form.get('client_id') === CLIENT
        ? answer('', 429, { 'retry-after': '120' })
        : answer(tokenJson({ access_token: 'opaque' })))(req, res, form)
    await refusalOf(made.issue(GRANT, context()))
    await made.issue({ ...GRANT, clientId }, context())
  })

  it.each([
    [429, '7200', 3600],
    [429, '0', 1],
    [429, undefined, 10],
    [429, 'soon', 10],
    [429, '12 hours', 10],
    [503, '120', 120],
  ])('U15 waits as told by %i with Retry-After %s: %i s', async (status, retryAfter, seconds) => {
    entra.script = answer('', status, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
    expect(await refused()).toMatchObject({ reason: 'upstream.throttled', retryAfterSeconds: seconds })
    expect(entra.requests).toHaveLength(1)
  })

  it.each([
    ['429', answer('', 429)],
    ['500', PAST],
    ['hang-up', ((req) => req.socket.destroy()) as fakes.Script],
  ])('U15 serves a token in its last minutes rather than none: %s', async (_name, script) => {
    const made = issuer()
    const first = await made.issue(GRANT, context())
    entra.script = script
    now += (3599 - 30) * 1000
    expect((await made.issue(GRANT, context())).body).toEqual(first.body)
    now += 1000
    expect((await refusalOf(made.issue(GRANT, context()))).status).toBe(503)
  })

  it('does not serve what is left when Entra says no', async () => {
    const made = issuer()
    await made.issue(GRANT, context())
    entra.script = answer(errorJson('unauthorized_client', 7000112), 400)
    now += (3599 - 200) * 1000
    expect((await refusalOf(made.issue(GRANT, context()))).code).toBe('upstream_rejected')
  })
})

describe('the Azure issuer when Entra is silent', () => {
  it.each([
    ['headers', (() => undefined) as fakes.Script],
    ['body', ((_req, res) => res.write('{"token_type":')) as fakes.Script],
    [
      'body, octet by octet',
      ((_req, res) => {
        const timer = setInterval(() => res.write(' '), 20)
        res.once('close', () => clearInterval(timer))
      }) as fakes.Script,
    ],
  ])('U12 gives up on hanging in %s, on a connection that was good before', async (_where, script) => {
    const made = issuer({ attemptTimeoutMs: 200 })
    entra.script = answer(tokenJson({ access_token: 'opaque' }))
    await made.issue({ ...GRANT, scope: 'https://a.example/.default' }, context())
    entra.script = script
    expect(await refusalOf(made.issue(GRANT, context()))).toMatchObject({
      code: 'upstream_timeout',
      status: 504,
      reason: 'upstream.unknown_outcome',
      facts: { attempts: 1 },
    })
  })

  it('U12 gives up on hanging in TLS, once more tried', async () => {
    const sockets = new Set<net.Socket>()
    const hole = net.createServer((socket) => sockets.add(socket.on('error', () => undefined)))
    await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve))
    const authorityHost = `https://127.0.0.1:${(hole.address() as AddressInfo).port}`
    try {
      const init = { applications: [application({ authorityHost })] }
      expect(await refused({ ...init, attemptTimeoutMs: 100 })).toMatchObject({
        code: 'upstream_timeout',
        reason: 'upstream.connect',
        facts: { attempts: 2 },
      })
      expect(sockets.size).toBe(2)
      // The deadline ends it, and no second attempt follows.
      const deadline = { deadlineMs: 100, attemptTimeoutMs: 100_000 }
      expect(await refused({ ...init, ...deadline })).toMatchObject({ facts: { attempts: 1 } })
    } finally {
      for (const socket of sockets) socket.destroy()
      hole.close()
    }
  })

  it('says 503 where nobody is', async () => {
    const gone = await startFakeEntra(answer(''))
    gone.close()
    expect(await refused({ applications: [application({ authorityHost: gone.authorityHost })] })).toMatchObject({
      code: 'upstream_unavailable',
      reason: 'upstream.connect',
      retryAfterSeconds: 2,
      facts: { attempts: 2 },
    })
  })

  it.each([
    ['hangs up', ((req) => req.socket.destroy()) as fakes.Script],
    ['hangs up amid the answer', ((req, res) => void res.write('{', () => req.socket.destroy())) as fakes.Script],
    ['does not speak HTTP', ((req) => req.socket.end('CANARY\r\n\r\n')) as fakes.Script],
    [
      'upgrades',
      ((req) => req.socket.write('HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')) as fakes.Script,
    ],
  ])('asks once more where Entra %s', async (_what, script) => {
    entra.script = script
    expect(await refused()).toMatchObject({
      code: 'upstream_unavailable',
      reason: 'upstream.unknown_outcome',
      facts: { attempts: 2 },
    })
    entra.script = (...args) => (entra.requests.length % 2 === 1 ? script : answer(tokenJson()))(...args)
    expect((await issue()).audit.attempts).toBe(2)
  })

  it('has no room for everybody', async () => {
    const open: (() => void)[] = []
    entra.script = (_req, res) => void open.push(() => res.end(tokenJson({ access_token: 'opaque' })))
    const made = issuer({ maxConcurrency: 1, maxQueue: 1 })
    const [first, second, third] = ['a', 'b', 'c'].map((name) =>
      made.issue({ ...GRANT, scope: `https://${name}.example/.default` }, context()),
    )
    expect(await refusalOf(third!)).toMatchObject({ code: 'overloaded', reason: 'upstream.queue' })
    await until(() => open.length === 1)
    open[0]!()
    await first
    await until(() => open.length === 2)
    open[1]!()
    await second
  })

  it('ends what is under way when it is closed, and begins nothing', async () => {
    entra.script = () => made.close()
    const made = issuer()
    expect(await refusalOf(made.issue(GRANT, context()))).toMatchObject({
      code: 'shutting_down',
      reason: 'issuer.closed',
    })
    expect(await refusalOf(made.issue(GRANT, context()))).toMatchObject({ code: 'shutting_down' })
    expect(entra.requests).toHaveLength(1)
  })

  it('forgets its tokens when it is closed, and ends its connections', async () => {
    const made = issuer()
    await made.issue(GRANT, context())
    expect(entra.sockets.open).toBeGreaterThan(0)
    made.close()
    await until(() => entra.sockets.open === 0)
    expect(await refusalOf(made.issue(GRANT, context()))).toMatchObject({ code: 'shutting_down' })
  })
})

describe('what the Azure issuer takes for an answer', () => {
  it.each([
    ['token_type', { token_type: 'pop' }, 'upstream.format'],
    ['no token_type', { token_type: undefined }, 'upstream.format'],
    ['no token', { access_token: undefined }, 'upstream.format'],
    ['an empty token', { access_token: '' }, 'upstream.format'],
    ['a token with a line end', { access_token: 'a\r\nb' }, 'upstream.format'],
    ['a token with a quote', { access_token: 'a"b' }, 'upstream.format'],
    ['a huge token', { access_token: 'a'.repeat(32_769) }, 'upstream.format'],
    ['expires_in as text', { expires_in: '3599' }, 'upstream.format'],
    ['expires_in with a fraction', { expires_in: 1.5 }, 'upstream.format'],
    ['no expires_in', { expires_in: undefined }, 'upstream.format'],
    ['expires_in 0', { expires_in: 0 }, 'upstream.expiry'],
    ['more than a day', { expires_in: 86_401 }, 'upstream.expiry'],
    ['another tenant', { access_token: jwt({ ...CLAIMS, tid: CLIENT }) }, 'upstream.mismatch'],
    ['a tenant that is no text', { access_token: jwt({ ...CLAIMS, tid: null }) }, 'upstream.mismatch'],
    ['another application', { access_token: jwt({ ...CLAIMS, appid: TENANT }) }, 'upstream.mismatch'],
    [
      'another application, v2',
      { access_token: jwt({ ...CLAIMS, appid: undefined, azp: TENANT }) },
      'upstream.mismatch',
    ],
    ['another resource', { access_token: jwt({ ...CLAIMS, aud: 'https://vault.azure.net' }) }, 'upstream.mismatch'],
    ['two slashes', { access_token: jwt({ ...CLAIMS, aud: 'https://storage.azure.com//' }) }, 'upstream.mismatch'],
    [
      'several resources',
      { access_token: jwt({ ...CLAIMS, aud: ['https://storage.azure.com'] }) },
      'upstream.mismatch',
    ],
  ])('U21 refuses %s', async (_what, changes, reason) => {
    entra.script = answer(tokenJson(changes))
    expect(await refused()).toMatchObject({ code: 'upstream_rejected', status: 502, reason })
    expect(entra.requests).toHaveLength(1)
  })

  it.each([
    ['HTML', '<html>CANARY</html>'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['a key twice', '{"token_type":"Bearer","token_type":"Bearer","expires_in":9,"access_token":"a"}'],
    ['too much', JSON.stringify({ token_type: 'Bearer', expires_in: 9, access_token: 'a', x: 'y'.repeat(65_536) })],
  ])('U21 refuses %s', async (_what, body) => {
    entra.script = answer(body)
    expect(await refused()).toMatchObject({ code: 'upstream_rejected', reason: 'upstream.format' })
  })

  it('U21 reads no answer without end', async () => {
    const ended: string[] = []
    entra.script = (_req, res) => {
      const flood = () => void (res.destroyed || setImmediate(() => res.write('x'.repeat(16_384), flood)))
      res.once('close', () => ended.push('closed'))
      flood()
    }
    expect(await refused({ attemptTimeoutMs: 20_000 })).toMatchObject({ reason: 'upstream.format' })
    await until(() => ended.length === 1)
  })

  it('leaves neither timer nor listener behind', async () => {
    const agent = createEntraAgent(entra.ca)
    const timers = () => realProcess.getActiveResourcesInfo().filter((it) => it === 'Timeout').length
    const before = timers()
    const { signal } = new AbortController()
    await postForm(entra.authorityHost, '', { agent, timeoutMs: 20_000, signal })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    agent.destroy()
    await until(() => timers() <= before) // the server's own may take a moment
  })

  it('asks nothing once its time is up', async () => {
    const agent = createEntraAgent(entra.ca)
    const options = { agent, timeoutMs: 20_000, signal: AbortSignal.abort() }
    await expect(postForm(entra.authorityHost, '', options)).rejects.toMatchObject({ kind: 'connect', timedOut: true })
    agent.destroy()
    expect(entra.requests).toEqual([])
  })

  it('says 503 to a failure with a page of any size', async () => {
    entra.script = answer('x'.repeat(1_000_000), 500)
    expect(await refused()).toMatchObject({ reason: 'upstream.server_error' })
  })

  const guid = '99999999-7777-4888-8999-aaaaaaaaaaaa'
  it.each([
    ['an opaque token', SCOPE, 'opaque'],
    ['an encrypted token', SCOPE, 'a.b.c.d.e'],
    ['three parts that are no JWT', SCOPE, 'a.b.c'],
    ['a token without claims', SCOPE, jwt({})],
    ['a slash at the end', SCOPE, jwt({ ...CLAIMS, aud: 'https://storage.azure.com/' })],
    ['a slash in the scope', 'https://storage.azure.com//.default', jwt(CLAIMS)],
    ['an application id in v2', SCOPE, jwt({ ...CLAIMS, appid: undefined, azp: CLIENT, aud: guid })],
    ['a scope of an application id', `${guid}/.default`, jwt({ ...CLAIMS, aud: `api://${guid}` })],
    ['a scope of an api: URI', `api://${guid}/.default`, jwt({ ...CLAIMS, aud: guid })],
    ['a GUID in capitals', SCOPE, jwt({ ...CLAIMS, tid: TENANT.toUpperCase(), appid: CLIENT.toUpperCase() })],
  ])('takes %s', async (_what, scope, token) => {
    entra.script = answer(tokenJson({ access_token: token }))
    expect((await issue({}, { scope })).body.access_token).toBe(token)
  })

  it('audits no uti that is none', async () => {
    entra.script = answer(tokenJson({ access_token: jwt({ ...CLAIMS, uti: 'CANARY uti' }) }))
    expect((await issue()).audit).not.toHaveProperty('azure_uti')
  })

  it('U21 refuses another application id as resource', async () => {
    entra.script = answer(tokenJson({ access_token: jwt({ ...CLAIMS, aud: TENANT }) }))
    expect(await refused({}, { scope: `${guid}/.default` })).toMatchObject({ reason: 'upstream.mismatch' })
  })

  it('takes a type in small letters, and a token for a whole day', async () => {
    entra.script = answer(tokenJson({ token_type: 'bearer', expires_in: 86_400 }))
    expect((await issue()).body).toMatchObject({ token_type: 'Bearer', expires_on: START / 1000 + 86_400 })
  })
})

describe('what the Azure issuer shows Entra', () => {
  const withCredential = (credential: AzureApplication['credential'], init: Partial<AzureIssuerInit> = {}) => ({
    applications: [application({ credential })],
    ...init,
  })

  it('a federated assertion, read anew each time', async () => {
    const assertions = [jwt({ n: 1 }), jwt({ n: 2 })]
    const credential = { kind: 'federated', assertion: () => Promise.resolve(assertions.shift()!) } as const
    entra.script = (...args) => (entra.requests.length === 1 ? PAST : answer(tokenJson()))(...args)
    await issue(withCredential(credential))
    expect(entra.requests.map(({ form }) => form.get('client_assertion'))).toEqual([jwt({ n: 1 }), jwt({ n: 2 })])
    const { 'client-request-id': _, ...form } = Object.fromEntries(entra.requests[0]!.form)
    expect(form).toEqual({
      client_id: CLIENT,
      scope: SCOPE,
      grant_type: 'client_credentials',
      client_assertion: jwt({ n: 1 }),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
  })

  it('nothing that can not be a secret or an assertion', async () => {
    for (const value of ['', 'CANARY\n', 'CANARY é', 'x'.repeat(1025)]) {
      const credential = { kind: 'secret', secret: () => Promise.resolve(value) } as const
      expect(await refused(withCredential(credential))).toMatchObject({
        code: 'signer_unavailable',
        reason: 'signer.secret_format',
      })
    }
    for (const value of ['', 'CANARY', 'a.b', 'a.b.c.d', 'a.b.c\n', `a.${'b'.repeat(16_385)}.c`]) {
      const credential = { kind: 'federated', assertion: () => Promise.resolve(value) } as const
      expect(await refused(withCredential(credential))).toMatchObject({ reason: 'signer.assertion_format' })
    }
    expect(entra.requests).toEqual([])
  })

  it.each([
    [Object.assign(new Error('CANARY'), { code: 'ERR_PKCS11_DEVICE' }), 'signer.pkcs11_device'],
    [Object.assign(new Error('CANARY'), { code: 'ERR_TPM_LOCKOUT' }), 'signer.tpm_lockout'],
    [Object.assign(new Error('CANARY'), { code: 'ERR_CANARY' }), 'signer.credential'],
    [Object.assign(new Error('x'), { code: `ERR_TPM_${'A'.repeat(41)}` }), 'signer.credential'],
    ['CANARY', 'signer.credential'],
  ])('says whose fault it is: %#', async (error, reason) => {
    const credential = { kind: 'secret', secret: () => Promise.reject(error as Error) } as const
    expect(await refused(withCredential(credential))).toMatchObject({
      code: 'signer_unavailable',
      reason,
      facts: { attempts: 1 },
    })
  })

  it('does not wait for a device for ever', async () => {
    const credential = { kind: 'secret', secret: () => new Promise<string>(() => undefined) } as const
    expect(await refused(withCredential(credential, { deadlineMs: 50 }))).toMatchObject({ reason: 'signer.timeout' })
  })

  it('nothing to a server of another authority', async () => {
    const { caPem } = await createTestPki()
    expect(await refused({ ca: caPem })).toMatchObject({ reason: 'upstream.connect' })
    expect(entra.requests).toEqual([])
  })
})
