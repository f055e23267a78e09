import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { listen, readBody } from '../internal/http.ts'
import { merge } from '../internal/merge.ts'
import { giveBackKeys, takeKeys } from '../internal/rsa-keys.ts'
import { createTestPki } from '../pki.ts'
import { issueAccessToken, readAccessToken } from './access-token.ts'
import { type EntraApplication, isGuid, parseApplication } from './application.ts'
import { authenticate } from './authenticate.ts'
import { instanceMetadata, keySet, openIdConfiguration } from './discovery.ts'
import { EntraRefusal, errorBody } from './refusal.ts'
import { resourceOf } from './scope.ts'
import type { EntraOptions, TestEntra } from './test-entra.ts'
import { parseTokenRequest, type TokenRequest } from './token-request.ts'

const MAX_BODY_OCTETS = 65_536

/** Starts it over HTTPS on a free port of 127.0.0.1. */
export async function startEntra({
  clock = Date.now,
  tokenLifetimeSeconds = 3599,
}: EntraOptions = {}): Promise<TestEntra> {
  const keys = await takeKeys(1)
  const [signer] = keys as [(typeof keys)[number]]
  const pki = await createTestPki()
  const tls = await pki.issue({ commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] })
  const applications = new Map<string, EntraApplication>()
  const tenants = new Set<string>()
  const usedJtis = new Set<string>()

  function answer(req: IncomingMessage, path: string, body: string): object | undefined {
    if (req.method === 'GET' && path === '/common/discovery/instance') return instanceMetadata(entra.authorityHost)
    const [, name = '', rest = ''] = /^\/([^/]+)(\/.+)$/.exec(path) ?? []
    const tenant = name.toLowerCase()
    const isToken = rest === '/oauth2/v2.0/token'
    const documents = new Map([
      ['/v2.0/.well-known/openid-configuration', () => openIdConfiguration(entra.authorityHost, tenant)],
      ['/discovery/v2.0/keys', () => keySet(signer)],
    ])
    const document = req.method === 'GET' ? documents.get(rest) : undefined
    if (!isToken && document === undefined) return undefined
    assertTenant(tenant, tenants)
    if (document !== undefined) return document()
    if (req.method !== 'POST') throw new EntraRefusal('AADSTS900561', 'The endpoint only accepts POST requests')
    return grant(tenant, parseTokenRequest(req.headers['content-type'], body))
  }

  function grant(tenantId: string, request: TokenRequest): object {
    const application = applications.get(`${tenantId}/${request.clientId.toLowerCase()}`)
    if (application === undefined) {
      throw new EntraRefusal('AADSTS700016', 'Application was not found in the directory')
    }
    const { clientId } = application
    const authenticated = authenticate(application, request.credential, {
      authorityHost: entra.authorityHost,
      nowMs: clock(),
      useOnce,
    })
    const resource = resourceOf(request.scope, application)
    const { scope, claims } = request
    const call = { tenantId, clientId, scope, ...authenticated, ...(claims !== undefined && { claims }), at: clock() }
    const { tokenLifetimeSeconds: lifetimeSeconds } = entra
    const token = issueAccessToken({ call, resource, lifetimeSeconds, keys: signer, claims: entra.claims })
    entra.calls.push(call)
    return merge(token, entra.answer)
  }

  /** Per application: each is an issuer of its own (RFC 7519 §4.1.7). */
  function useOnce(jti: string, { tenantId, clientId }: EntraApplication): boolean {
    const name = `${tenantId}/${clientId}/${jti}`
    const isFresh = !usedJtis.has(name)
    usedJtis.add(name)
    return isFresh || !entra.refuseReplays
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const [path = ''] = (req.url ?? '').split('?', 1)
    entra.requests.push({ method: req.method ?? '', path })
    if (entra.fault !== undefined) return entra.fault(req, res)
    if (entra.discoveryFault !== undefined && !path.endsWith('/oauth2/v2.0/token'))
      return entra.discoveryFault(req, res)
    const octets = await readBody(req, MAX_BODY_OCTETS)
    if (octets === undefined) return void res.writeHead(413, { connection: 'close' }).end()
    const correlationId = correlationIdOf(req)
    const send = (status: number, content: object) => {
      res.writeHead(status, {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store, no-cache',
        'client-request-id': correlationId,
      })
      res.end(JSON.stringify(content))
    }
    try {
      const content = answer(req, path, octets.toString())
      if (content === undefined) return void res.writeHead(404).end()
      send(200, content)
    } catch (error) {
      if (!(error instanceof EntraRefusal)) throw error
      entra.refusals.push({ code: error.code, error: error.error, detail: error.message })
      send(error.status, errorBody(error, clock(), correlationId))
    }
  }

  const server = createServer(
    { cert: tls.certPem, key: tls.keyPem, minVersion: 'TLSv1.2' },
    (req, res) => void handle(req, res).catch(() => res.destroy()),
  )
  const listening = await listen(server)
  const entra: TestEntra = {
    authorityHost: `https://127.0.0.1:${listening.port}`,
    port: listening.port,
    caPem: pki.caPem,
    addApplication(init) {
      const app = parseApplication(init)
      tenants.add(app.tenantId)
      applications.set(`${app.tenantId}/${app.clientId}`, app)
    },
    tokenLifetimeSeconds,
    refuseReplays: false,
    claims: {},
    answer: {},
    calls: [],
    refusals: [],
    requests: [],
    fault: undefined,
    discoveryFault: undefined,
    tokenFor: (accessToken) => readAccessToken(accessToken, signer, clock()),
    async close() {
      giveBackKeys(keys.splice(0))
      await listening.close()
    },
  }
  return entra
}

/** A tenant by its GUID. Its domain names, which Entra takes too, are not known here. */
function assertTenant(tenant: string, tenants: ReadonlySet<string>): void {
  if (['common', 'organizations', 'consumers'].includes(tenant)) {
    throw new EntraRefusal('AADSTS50059', 'No tenant-identifying information found in the request')
  }
  if (!isGuid(tenant)) throw new EntraRefusal('AADSTS900023', 'The tenant identifier is not valid')
  if (!tenants.has(tenant)) throw new EntraRefusal('AADSTS90002', 'The tenant was not found')
}

function correlationIdOf(req: IncomingMessage): string {
  const [given = ''] = [req.headers['client-request-id']].flat()
  return isGuid(given) ? given : randomUUID()
}
