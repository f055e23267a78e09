import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createCredentialServer } from '../src/index.ts'
import {
  APP_SERVICE,
  CLIENT_ID,
  get,
  HEADER,
  identityHeader,
  startServer,
  type TestServer,
  testCredential,
} from './helpers.ts'

const NOW = Date.parse('2021-11-05T14:18:31.900Z')
let target: TestServer
beforeAll(async () => {
  target = await startServer(
    { clock: () => NOW },
    testCredential(3_600_000, () => NOW),
  )
})
afterAll(() => target.server.close())

const V2017 = APP_SERVICE.replace('2019-08-01', '2017-09-01')

describe('the App Service form', () => {
  it('answers version 2019-08-01', async () => {
    const { status, json } = await target.get(APP_SERVICE, identityHeader)
    expect(status).toBe(200)
    expect(json).toEqual({
      access_token: 'token-1-canary',
      expires_on: '1636125511',
      resource: 'https://storage.azure.com/',
      token_type: 'Bearer',
      client_id: CLIENT_ID,
    })
    expect(target.credential.scopes).toEqual(['https://storage.azure.com//.default'])
  })

  it.each([V2017, V2017.replace('/token?', '/token/?')])('answers version 2017-09-01: %s', async (path) => {
    const { status, json } = await target.get(path, { secret: HEADER })
    expect(status).toBe(200)
    expect(json).toMatchObject({ access_token: 'token-1-canary', expires_on: '11/05/2021 15:18:31 +00:00' })
  })

  it.each([
    ['none', APP_SERVICE, {}],
    ['a wrong one', APP_SERVICE, { 'x-identity-header': 'identity-header-of-others' }],
    ['a longer one', APP_SERVICE, { 'x-identity-header': `${HEADER}x` }],
    ['an empty one', APP_SERVICE, { 'x-identity-header': '' }],
    ['two', APP_SERVICE, { 'x-identity-header': [HEADER, HEADER] }],
    ["the other version's", APP_SERVICE, { secret: HEADER }],
    ["the other version's", V2017, { 'x-identity-header': HEADER }],
  ])('I10 refuses %s of its secret', async (_name, path, headers) => {
    const { status, json, text } = await target.get(path, headers)
    expect([status, json]).toEqual([401, { statusCode: 401, message: 'the identity header is missing or wrong' }])
    expect(text).not.toContain(HEADER)
  })

  it('looks at the secret before anything else', async () => {
    expect((await target.get('/msi/token?api-version=2019-08-01')).status).toBe(401)
  })

  it.each([CLIENT_ID, CLIENT_ID.toUpperCase()])('knows its own client id: %s', async (id) => {
    expect((await target.get(`${APP_SERVICE}&client_id=${id}`, identityHeader)).status).toBe(200)
    expect((await target.get(`${V2017}&clientid=${id}`, { secret: HEADER })).status).toBe(200)
  })

  it.each([
    'client_id=77777777-7777-4888-8999-aaaaaaaaaaaa',
    'clientid=77777777-7777-4888-8999-aaaaaaaaaaaa',
    `client_id=${CLIENT_ID}&clientid=77777777-7777-4888-8999-aaaaaaaaaaaa`,
    'client_id=',
    `object_id=${CLIENT_ID}`,
    `principal_id=${CLIENT_ID}`,
    'mi_res_id=/subscriptions/x',
    'msi_res_id=/subscriptions/x',
  ])('refuses another identity: %s', async (selector) => {
    const { status, json } = await target.get(`${APP_SERVICE}&${selector}`, identityHeader)
    expect([status, json]).toEqual([400, { statusCode: 400, message: 'Identity not found' }])
  })

  it.each([
    '/msi/token',
    '/msi/token?resource=https://storage.azure.com/',
    APP_SERVICE.replace('2019-08-01', '2020-01-01'),
    '/msi/token?api-version=2019-08-01',
    '/msi/token?api-version=2019-08-01&resource=',
    `${APP_SERVICE}&resource=https://vault.azure.net`,
    `${APP_SERVICE}&api-version=2019-08-01`,
    `${APP_SERVICE}&x=1&x=2`,
  ])('refuses parameters that are missing or repeated: %s', async (path) => {
    expect((await target.get(path, identityHeader)).status).toBe(400)
  })

  it('names no client where none is configured, and refuses whoever asks for one', async () => {
    const server = createCredentialServer({ azure: { credential: testCredential(), identityHeader: HEADER } })
    const { port, host } = await server.listen()
    try {
      expect((await get(host, port, APP_SERVICE, identityHeader)).json).not.toHaveProperty('client_id')
      expect((await get(host, port, `${APP_SERVICE}&client_id=${CLIENT_ID}`, identityHeader)).status).toBe(400)
    } finally {
      await server.close()
    }
  })
})
