import { afterEach, describe, expect, it } from '@jest/globals'
import { runFixture } from './child.ts'
import { startServer, type TestServer, testCredential } from './helpers.ts'

interface SdkToken {
  token: string
  expiresOnTimestamp: number
  isGood: boolean
}

const SCOPE = 'https://storage.azure.com/.default'
let it0: TestServer
afterEach(() => it0.server.close())

const without = (env: Record<string, string>, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter(([key]) => key !== name))

describe('@azure/identity in another process', () => {
  it.each(['default', 'managed'])('gets a token from the App Service form (%s)', async (kind) => {
    it0 = await startServer({ azure: { imds: false } })
    const tokens = await runFixture<SdkToken[]>('get-token.mjs', [kind, SCOPE, '1'], { env: it0.server.environment() })
    expect(tokens).toEqual([{ token: 'token-1-canary', expiresOnTimestamp: expect.any(Number), isGood: true }])
    expect(it0.credential.scopes).toEqual([SCOPE])
    expect(it0.events).toEqual([])
  })

  it.each(['default', 'managed'])('gets a token from the IMDS form (%s)', async (kind) => {
    it0 = await startServer()
    const { AZURE_POD_IDENTITY_AUTHORITY_HOST } = it0.server.environment()
    const env = { AZURE_POD_IDENTITY_AUTHORITY_HOST: AZURE_POD_IDENTITY_AUTHORITY_HOST! }
    const tokens = await runFixture<SdkToken[]>('get-token.mjs', [kind, SCOPE, '1'], { env })
    expect(tokens).toMatchObject([{ token: 'token-1-canary', isGood: true }])
    expect(it0.credential.scopes).toEqual([SCOPE])
  })

  it.each(['default', 'managed'])(
    'I25 has a good token each time, over four that live two seconds (%s)',
    async (kind) => {
      it0 = await startServer({}, testCredential(2000))
      const env = without(it0.server.environment(), 'AZURE_POD_IDENTITY_AUTHORITY_HOST')
      const tokens = await runFixture<SdkToken[]>('get-token.mjs', [kind, SCOPE, '4'], { env })
      expect(tokens).toHaveLength(4)
      expect(tokens.every((it) => it.isGood)).toBe(true)
      expect(new Set(tokens.map((it) => it.token)).size).toBe(4)
      expect(it0.credential.scopes).toEqual(Array(4).fill(SCOPE))
      expect(it0.events).toEqual([])
    },
  )

  it('keeps the slash of a resource, and makes two of it', async () => {
    it0 = await startServer()
    const scope = 'https://vault.azure.net//.default'
    await runFixture('get-token.mjs', ['managed', scope, '1'], { env: it0.server.environment() })
    expect(it0.credential.scopes).toEqual([scope])
  })

  it('sees a refusal at once, and no token in it', async () => {
    it0 = await startServer({ azure: { allowedResources: ['https://vault.azure.net'] } })
    const asked = runFixture('get-token.mjs', ['managed', SCOPE, '1'], { env: it0.server.environment() })
    await expect(asked).rejects.toThrow('this resource is not served here')
    expect(it0.events).toMatchObject([{ reason: 'resource', status: 403, route: 'azure-app-service' }])
  })
})
