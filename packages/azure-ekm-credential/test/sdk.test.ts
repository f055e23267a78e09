import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { AccessToken, TokenCredential } from '@azure/core-auth'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { startAzurite, type TestAzurite } from '@hardbound/testkit/azure'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { EkmCredential, type EkmCredentialInit } from '../src/index.ts'
import { type Harness, MANAGEMENT, rejection, SCOPE, startHarness, TENANT } from './harness.ts'
import { startScriptedBroker, tokenFor, wantOf } from './scripted-broker.ts'

let harness: Harness
let azurite: TestAzurite
beforeAll(async () => {
  ;[harness, azurite] = await Promise.all([startHarness(), startAzurite()])
  const owner = clientOf(new StorageSharedKeyCredential(azurite.account, azurite.accountKey))
  const { containerClient } = await owner.createContainer('reports')
  await containerClient.uploadBlockBlob('one.txt', 'first report', 12)
}, 60_000)
afterAll(() => Promise.all([harness?.close(), azurite?.stop()]))
afterEach(() => {
  harness.entra.tokenLifetimeSeconds = 3599
})

interface Where {
  endpoint?: string
  ca?: string
  audience?: string
}

/** The types of the client leave `tlsOptions` out; its pipeline has them. */
function clientOf(credential: TokenCredential | StorageSharedKeyCredential, where: Where = {}): BlobServiceClient {
  const { endpoint = azurite.blobEndpoint, ca = azurite.caPem, ...rest } = where
  const options = { tlsOptions: { ca }, ...rest }
  return new BlobServiceClient(endpoint, credential, options)
}

/** The names of all blobs, and what is in the first. */
async function read(client: BlobServiceClient): Promise<string[]> {
  const container = client.getContainerClient('reports')
  const names: string[] = []
  for await (const { name } of container.listBlobsFlat()) names.push(name)
  return [...names, (await container.getBlobClient(names[0]!).downloadToBuffer()).toString()]
}

const credential = (other?: Partial<EkmCredentialInit>) => new EkmCredential(harness.init(other))
const grants = () => harness.entra.calls.length

/** The same credential, and all tokens that it gave, with the last time of each. */
function recording(inner: TokenCredential) {
  const used = new Map<string, AccessToken & { at: number }>()
  const getToken: TokenCredential['getToken'] = async (...args) => {
    const token = await inner.getToken(...args)
    if (token !== null) used.set(token.token, { ...token, at: Date.now() })
    return token
  }
  return { used, recorded: { getToken } }
}

describe('in a client of Azure Storage', () => {
  it('lists and reads blobs, with one token', async () => {
    const before = grants()
    const client = clientOf(credential())
    for (let i = 0; i < 3; i++) expect(await read(client)).toEqual(['one.txt', 'first report'])
    expect(grants() - before).toBe(1)
  })

  it('I25 goes on when tokens end, without one failed call', async () => {
    harness.entra.tokenLifetimeSeconds = 5
    const { used, recorded } = recording(credential())
    const client = clientOf(recorded)
    while (used.size < 3) expect(await read(client)).toEqual(['one.txt', 'first report'])
    for (const { expiresOnTimestamp, at } of used.values()) expect(at).toBeLessThan(expiresOnTimestamp)
  })

  it('replaces a token of 2 s as soon as the clock says so', async () => {
    const time = { now: Date.now() }
    const scripted = await startScriptedBroker(harness.pki, async () => ({
      body: tokenFor(2, time.now, (await credential().getToken(SCOPE)).token),
    }))
    const { used, recorded } = recording(credential({ broker: scripted.broker, clock: () => time.now }))
    const client = clientOf(recorded)
    await read(client)
    expect([scripted.seen.length, used.size]).toEqual([1, 1])
    time.now += 2_000
    while (used.size < 2) expect(await read(client)).toEqual(['one.txt', 'first report'])
    await scripted.close()
    expect(scripted.seen.length).toBe(2)
  })

  it('P22 fails at once where the rule has another scope', async () => {
    const before = [grants(), harness.records.length]
    const client = clientOf(credential(), { audience: MANAGEMENT })
    const error = await rejection(read(client))
    expect(error).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED', statusCode: 403 })
    expect([grants(), harness.records.length]).toEqual([before[0], before[1]! + 1])
    expect(harness.records.at(-1)).toMatchObject({ event: 'deny', reason: 'request.scope' })
  })

  it('fails at once where the image is another one', async () => {
    const { claims } = harness.launcher
    harness.launcher.claims = { submods: { container: { image_digest: `sha256:${'b2'.repeat(32)}` } } }
    const error = await rejection(read(clientOf(credential())))
    harness.launcher.claims = claims
    expect(error).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED' })
  })
})

describe('in a client whose service sends challenges', () => {
  let service: Server
  let challenge: string
  let authorizations: (string | undefined)[]
  let where: Where

  beforeAll(async () => {
    const { certPem, keyPem } = await harness.pki.issue({ commonName: 'storage', ip: ['127.0.0.1'] })
    service = createServer({ cert: certPem, key: keyPem }, (request, response) => {
      authorizations.push(request.headers.authorization)
      if (authorizations.length > 1) return void response.writeHead(200).end()
      response.writeHead(401, { 'www-authenticate': challenge }).end()
    })
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    where = { endpoint: `https://127.0.0.1:${(service.address() as AddressInfo).port}/x`, ca: harness.pki.caPem }
  })
  afterAll(() => new Promise((resolve) => service.close(resolve)))

  it('U22 C14 reports a claims challenge after one try: it can’t be met, and trying again won’t help', async () => {
    authorizations = []
    const claims = Buffer.from('{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}').toString('base64')
    challenge = `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="${claims}"`
    const before = grants()
    const error = await rejection(clientOf(credential(), where).getProperties())
    expect(error).toMatchObject({ code: 'ERR_EKM_UNSUPPORTED' })
    expect([authorizations.length, grants() - before]).toEqual([1, 1])
  })

  it('C14 asks for the tenant that the service names', async () => {
    authorizations = []
    challenge = `Bearer authorization_uri=https://login.microsoftonline.com/${TENANT}/oauth2/authorize resource_id=https://storage.azure.com`
    const scripted = await startScriptedBroker(harness.pki, () => ({ body: tokenFor() }))
    await clientOf(credential({ broker: scripted.broker }), where)
      .getContainerClient('reports')
      .exists()
    await scripted.close()
    const asked = { target: 'azure', scope: SCOPE }
    expect(scripted.seen.map(wantOf)).toEqual([asked, { ...asked, tenant_id: TENANT }])
    expect(authorizations.length).toBe(2)
  })
})
