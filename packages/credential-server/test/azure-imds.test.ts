import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CLIENT_ID, IMDS, identityHeader, metadata, startServer, type TestServer, testCredential } from './helpers.ts'

let now = Date.parse('2021-11-05T14:18:31Z')
let target: TestServer
beforeAll(async () => {
  target = await startServer(
    { clock: () => now },
    testCredential(3_600_000, () => now),
  )
})
afterAll(() => target.server.close())

describe('the IMDS form', () => {
  it('answers with strings alone', async () => {
    expect((await target.get(IMDS, metadata)).json).toEqual({
      access_token: 'token-1-canary',
      client_id: CLIENT_ID,
      expires_in: '3600',
      expires_on: '1636125511',
      ext_expires_in: '3600',
      not_before: '1636121911',
      resource: 'https://storage.azure.com/',
      token_type: 'Bearer',
    })
  })

  it('counts down from the true expiry', async () => {
    now += 600_000
    expect((await target.get(IMDS, metadata)).json).toMatchObject({ expires_in: '3000', expires_on: '1636125511' })
  })

  it.each([{}, { metadata: 'false' }, { metadata: '' }, { metadata: ['true', 'true'] }, identityHeader])(
    'refuses %j, as SDKs expect when they probe',
    async (headers) => {
      const { status, json } = await target.get(IMDS, headers as Record<string, string>)
      expect(status).toBe(400)
      expect(json).toEqual({
        error: 'bad_request_102',
        error_description: 'Required metadata header not specified',
      })
    },
  )

  it('takes True, and later versions', async () => {
    expect((await target.get(IMDS, { metadata: 'True' })).status).toBe(200)
    expect((await target.get(IMDS.replace('2018-02-01', '2021-02-01'), metadata)).status).toBe(200)
  })

  it.each([
    IMDS.replace('api-version=2018-02-01&', ''),
    IMDS.replace('2018-02-01', '2017-09-01'),
    IMDS.replace('2018-02-01', '2018-02'),
    IMDS.replace('2018-02-01', '2018-02-01x'),
    IMDS.replace(/&resource.*/, ''),
    `${IMDS}&resource=https://vault.azure.net`,
  ])('refuses %s', async (path) => {
    const { status, json } = await target.get(path, metadata)
    expect([status, json.error]).toEqual([400, 'invalid_request'])
  })

  it('knows one identity', async () => {
    expect((await target.get(`${IMDS}&client_id=${CLIENT_ID}`, metadata)).status).toBe(200)
    const { status, json } = await target.get(`${IMDS}&msi_res_id=/subscriptions/x`, metadata)
    expect([status, json]).toEqual([400, { error: 'invalid_request', error_description: 'Identity not found' }])
  })

  it('is not there unless asked for', async () => {
    const other = await startServer({ azure: { imds: false } })
    expect((await other.get(IMDS, metadata)).status).toBe(404)
    expect(other.server.environment()).not.toHaveProperty('AZURE_POD_IDENTITY_AUTHORITY_HOST')
    await other.server.close()
  })
})
