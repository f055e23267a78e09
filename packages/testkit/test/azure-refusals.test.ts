import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startEntra, type TestEntra } from '../src/azure.ts'
import { CLIENT, form, post, SECRET, STORAGE, TENANT } from './azure-helpers.ts'
import { askUrl } from './helpers.ts'

let entra: TestEntra
beforeAll(async () => {
  entra = await startEntra()
  entra.addApplication({ tenantId: TENANT, clientId: CLIENT, secrets: [{ value: SECRET }] })
})
afterAll(() => entra.close())

describe('refusals', () => {
  it.each([
    ['another grant', { grant_type: 'password' }, 'AADSTS70003', 400, 'unsupported_grant_type'],
    ['no grant', { grant_type: undefined }, 'AADSTS900144', 400, 'invalid_request'],
    ['another application', { client_id: TENANT }, 'AADSTS700016', 400, 'unauthorized_client'],
    ['no application', { client_id: undefined }, 'AADSTS900144', 400, 'invalid_request'],
    ['no credential', { client_secret: undefined }, 'AADSTS7000216', 401, 'invalid_client'],
    ['two credentials', { client_assertion: 'a.b.c' }, 'AADSTS90023', 400, 'invalid_request'],
    ['no scope', { scope: '' }, 'AADSTS900144', 400, 'invalid_request'],
    ['P22 a scope without .default', { scope: 'https://storage.azure.com' }, 'AADSTS1002012', 400, 'invalid_scope'],
    ['P22 a trailing space', { scope: `${STORAGE} ` }, 'AADSTS70011', 400, 'invalid_scope'],
    ['P22 offline_access', { scope: `${STORAGE} offline_access` }, 'AADSTS70011', 400, 'invalid_scope'],
    [
      'P22 two scopes',
      { scope: `${STORAGE} https://graph.microsoft.com/.default` },
      'AADSTS28000',
      400,
      'invalid_scope',
    ],
    ['P22 Graph', { scope: 'https://graph.microsoft.com/.default' }, 'AADSTS500011', 400, 'invalid_resource'],
    ['P22 change of case', { scope: 'https://STORAGE.azure.com/.default' }, 'AADSTS500011', 400, 'invalid_resource'],
  ])('%s', async (_, change, code, status, error) => {
    const result = await post(entra, {}, change)
    expect(result).toMatchObject({ status, answer: { error, error_codes: [Number(code.slice(6))] } })
    expect(entra.refusals.at(-1)).toMatchObject({ code, error })
    expect(entra.calls).toEqual([])
  })

  it.each([
    ['P23 common', 'common', 'AADSTS50059'],
    ['P23 a GUID in braces', `{${TENANT}}`, 'AADSTS900023'],
    ['P23 a name', 'contoso.example.com', 'AADSTS900023'],
    ['P23 another tenant', CLIENT, 'AADSTS90002'],
  ])('%s', async (_, tenant, code) => {
    expect((await post(entra, {}, {}, tenant)).answer).toMatchObject({ error_codes: [Number(code.slice(6))] })
  })

  it('has the shape of Entra, with the correlation id of the client', async () => {
    const { answer } = await post(entra, { headers: { 'client-request-id': CLIENT } }, { client_secret: 'x' })
    expect(answer).toEqual({
      error: 'invalid_client',
      error_description: expect.stringMatching(/^AADSTS7000215: .* Trace ID: .* Correlation ID: .* Timestamp: /),
      error_codes: [7000215],
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/),
      trace_id: expect.stringMatching(/^[\da-f-]{36}$/),
      correlation_id: CLIENT,
      error_uri: 'https://login.microsoftonline.com/error?code=7000215',
    })
  })

  it('parameters twice, another content type, GET, long bodies, other paths', async () => {
    const url = `${entra.authorityHost}/${TENANT}/oauth2/v2.0/token`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const send = (method: string, body: string, o: object = headers, to = url) =>
      askUrl(to, { method, headers: o as Record<string, string>, ca: entra.caPem }, body)
    expect((await send('POST', `${form()}&scope=x`)).text).toContain('AADSTS9000411')
    expect((await send('POST', form(), { 'content-type': 'application/json' })).text).toContain('AADSTS900144')
    expect((await send('GET', '')).text).toContain('AADSTS900561')
    expect((await send('POST', 'x'.repeat(65_537))).status).toBe(413)
    expect((await send('GET', '', {}, `${entra.authorityHost}/${TENANT}/oauth2/token`)).status).toBe(404)
    expect((await send('GET', '', {}, entra.authorityHost)).status).toBe(404)
    expect((await send('POST', '', {}, `${entra.authorityHost}/${TENANT}/discovery/v2.0/keys`)).status).toBe(404)
  })
})
