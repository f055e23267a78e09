import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { createGoogleVerifier, createRemoteKeySet } from '@hardbound/attestation-verify'
import {
  type AuditRecord,
  type AzureGrant,
  BrokerError,
  type CredentialIssuer,
  compilePolicy,
  createBroker,
  createBrokerServer,
} from '@hardbound/broker-core'
import { createTestPki, startIssuer, startLauncher, type TestLauncher, type TestPki } from '@hardbound/testkit'
import { startEntra, type TestEntra } from '@hardbound/testkit/azure'
import { confidentialSpaceLauncher, type EkmCredentialInit } from '../src/index.ts'

export const AUDIENCE = 'https://broker.example.com'
export const TENANT = '11111111-2222-4333-8444-555555555555'
export const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'
export const SCOPE = 'https://storage.azure.com/.default'
export const MANAGEMENT = 'https://management.azure.com/.default'
const IMAGE = `sha256:${'a1'.repeat(32)}`
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

/** A workload's surroundings: launcher, broker and Entra, all on loopback. */
export interface Harness {
  pki: TestPki
  launcher: TestLauncher
  entra: TestEntra
  /** Whom to trust, and where. */
  broker: EkmCredentialInit['broker']
  /** Options of an honest workload, and what a test wants otherwise. */
  init(other?: Partial<EkmCredentialInit>): EkmCredentialInit
  /** What the broker has recorded, oldest first. */
  records: AuditRecord[]
  close(): Promise<void>
}

/** A whole broker: real TLS, verifier and policy; its issuer asks an Entra that checks what it is asked. */
export async function startHarness(o: { tenantId?: string; clientCa?: boolean } = {}): Promise<Harness> {
  const tenantId = o.tenantId ?? TENANT
  const [pki, issuer, entra] = await Promise.all([createTestPki(), startIssuer(), startEntra()])
  const launcher = await startLauncher({ issuer, claims: { submods: { container: { image_digest: IMAGE } } } })
  entra.addApplication({ tenantId, clientId: CLIENT, secrets: [{ value: SECRET }] })

  const records: AuditRecord[] = []
  const grant = { tenant_id: tenantId, client_id: CLIENT, scopes: [SCOPE] }
  const rule = {
    id: 'blobs',
    workload: { image_digests: [IMAGE] },
    protocols: ['v2', 'go-v1'],
    grant: { azure: grant },
  }
  const broker = createBroker({
    verifier: createGoogleVerifier({ keys: createRemoteKeySet({ url: issuer.jwksUrl, ca: issuer.caPem }) }),
    policy: compilePolicy({ version: 1, rules: [rule] }),
    issuers: [entraIssuer(entra)],
    audit: { append: async (record) => void records.push(record), ready: () => true, close: async () => {} },
    audience: AUDIENCE,
    goV1: {},
  })
  const own = await pki.issue({ commonName: 'broker', dns: ['broker.example.com'], ip: ['127.0.0.1'] })
  const server = createBrokerServer({
    broker,
    tls: { cert: own.certPem, key: own.keyPem, ...(o.clientCa === true ? { clientCa: pki.caPem } : {}) },
    limits: { requestsPerSecond: 100_000 },
  })
  const { port } = await server.listen(0)
  const trusted = { url: 'https://broker.example.com', address: `127.0.0.1:${port}`, ca: pki.caPem }

  return {
    pki,
    launcher,
    entra,
    broker: trusted,
    records,
    init: (other) => ({
      broker: trusted,
      audience: AUDIENCE,
      attestation: confidentialSpaceLauncher({ socketPath: launcher.socketPath }),
      ...other,
    }),
    async close() {
      await server.close(0)
      await Promise.all([launcher.close(), issuer.close(), entra.close()])
    },
  }
}

/** Client credentials with a secret (RFC 6749 §4.4), and no cache: each grant is one call. */
function entraIssuer(entra: TestEntra): CredentialIssuer {
  return {
    target: 'azure',
    async issue(grant, { signal }) {
      const { tenantId, clientId, scope } = grant as AzureGrant
      const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: SECRET, scope }
      const { status, body } = await post(`/${tenantId}/oauth2/v2.0/token`, new URLSearchParams(form), signal)
      if (status !== 200) throw new BrokerError('upstream_rejected', 'upstream.status')
      const { access_token, expires_in } = body as { access_token: string; expires_in: number }
      const expires_on = Math.floor(Date.now() / 1000) + expires_in
      return { body: { access_token, token_type: 'Bearer', expires_on }, expiresAt: expires_on, audit: {} }
    },
  }
  function post(path: string, form: URLSearchParams, signal: AbortSignal) {
    return new Promise<{ status: number | undefined; body: unknown }>((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      request(`${entra.authorityHost}${path}`, { method: 'POST', ca: entra.caPem, headers, signal })
        .on('response', (it) =>
          text(it).then((body) => resolve({ status: it.statusCode, body: JSON.parse(body) }), reject),
        )
        .on('error', reject)
        .end(form.toString())
    })
  }
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const nothing = Symbol('fulfilled')
  const error = await promise.then(
    () => nothing,
    (it: unknown) => it,
  )
  if (error === nothing || !(error instanceof Error)) throw new TypeError('expected a rejection with an Error')
  return error
}
