import { existsSync } from 'node:fs'
import { ClientSecretCredential } from '@azure/identity'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { startAzurite, startEntra, type TestAzurite, type TestEntra } from '../src/azure.ts'
import { CLIENT, SECRET, STORAGE, TENANT } from './azure-helpers.ts'

let entra: TestEntra
let azurite: TestAzurite
beforeAll(async () => {
  ;[entra, azurite] = await Promise.all([startEntra(), startAzurite()])
  const secrets = [{ value: SECRET }]
  entra.addApplication({ tenantId: TENANT, clientId: CLIENT, secrets })
  const owner = clientOf(new StorageSharedKeyCredential(azurite.account, azurite.accountKey))
  const { containerClient } = await owner.createContainer('reports')
  await containerClient.uploadBlockBlob('today.txt', 'forty-two', 9)
}, 60_000)
afterEach(() => {
  entra.claims = {}
})
afterAll(async () => {
  await Promise.all([entra?.close(), azurite?.stop()])
})

describe('startAzurite', () => {
  it('lists and reads with a token of the emulated Entra', async () => {
    expect(azurite.blobEndpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/hardbounddemo$/)
    expect(await read()).toEqual(['today.txt', 'forty-two'])
  })

  const past = Math.floor(Date.now() / 1000) - 60
  it.each([
    ['for another audience', { aud: 'https://management.azure.com' }],
    ['that ended', { exp: past }],
    ['that has not begun', { nbf: past + 3600 }],
    ['of another issuer', { iss: 'https://sts.example.com/' }],
    ['without iat', { iat: undefined }],
  ])('refuses a token %s', async (_, claims) => {
    entra.claims = claims
    await expect(read()).rejects.toMatchObject({ statusCode: 403 })
  })

  it('does not look at the signature, nor at the tenant: Entra does', async () => {
    const { token, expiresOnTimestamp } = await entraCredential().getToken(STORAGE)
    const forged = `${token.slice(0, -8)}AAAAAAAA`
    const client = clientOf({ getToken: async () => ({ token: forged, expiresOnTimestamp }) })
    expect(await client.getContainerClient('reports').exists()).toBe(true)
    expect(entra.tokenFor(forged)).toBeUndefined()
  })

  it('stops, twice, and leaves no folder', async () => {
    const other = await startAzurite({ account: 'other' })
    const existed = existsSync(other.folder)
    await other.stop()
    await other.stop()
    expect(existed).toBe(true)
    expect(existsSync(other.folder)).toBe(false)
    await expect(fetch(other.blobEndpoint)).rejects.toThrow()
  }, 60_000)

  it('has no account that Azurite would replace by its own', async () => {
    await expect(startAzurite({ account: 'a:b:c' })).rejects.toThrow(TypeError)
  })
})

/** The types of the client leave `tlsOptions` out; its pipeline has them. */
function clientOf(
  credential: StorageSharedKeyCredential | Pick<ClientSecretCredential, 'getToken'>,
): BlobServiceClient {
  const options = { tlsOptions: { ca: azurite.caPem }, retryOptions: { maxTries: 1 } }
  return new BlobServiceClient(azurite.blobEndpoint, credential, options)
}

const entraCredential = () =>
  new ClientSecretCredential(TENANT, CLIENT, SECRET, {
    authorityHost: entra.authorityHost,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: entra.caPem },
  })

/** The names of all blobs, and what is in the first. */
async function read(): Promise<string[]> {
  const container = clientOf(entraCredential()).getContainerClient('reports')
  const found: string[] = []
  for await (const { name } of container.listBlobsFlat()) found.push(name)
  const content = await container.getBlobClient(found[0]!).downloadToBuffer()
  return [...found, content.toString()]
}
