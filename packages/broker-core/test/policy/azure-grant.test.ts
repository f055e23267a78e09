import { describe, expect, it } from '@jest/globals'
import type { PolicyInput } from '../../src/types.ts'
import * as t from './helpers.ts'

const TENANT = '11111111-2222-4333-8444-555555555555'
const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'
const STORAGE = 'https://storage.azure.com/.default'
const SQL = 'https://database.windows.net//.default'
const azure = { tenant_id: TENANT, client_id: CLIENT, scopes: [STORAGE, SQL] }

const rule = (parts: t.Loose = {}, id = 'blobs'): t.Loose => ({
  ...t.rule({ id }),
  grant: { azure: { ...azure, ...parts } },
})
const asks = (scope: string, { tenantId, clientId }: { tenantId?: string; clientId?: string } = {}): PolicyInput => ({
  ...t.input(),
  request: { target: 'azure', scope, tenantId, clientId },
})

describe('grant.azure', () => {
  it('grants one of its scopes, for tenant and client as the rule has them', () => {
    const granted = {
      allow: true,
      rule: 'blobs',
      grant: { target: 'azure', tenantId: TENANT, clientId: CLIENT, scope: SQL },
    }
    expect(t.decideOn(asks(SQL), rule())).toEqual(granted)
    expect(t.decideOn(asks(SQL, { tenantId: TENANT, clientId: CLIENT }), rule())).toEqual(granted)
  })

  it.each([
    ['one not listed', 'https://graph.microsoft.com/.default'],
    ['two', `${STORAGE} ${SQL}`],
    ['a trailing space', `${STORAGE} `],
    ['a leading space', ` ${STORAGE}`],
    ['another case', 'https://Storage.azure.com/.default'],
    ['another one beside it', `${STORAGE} offline_access`],
    ['offline_access', 'offline_access'],
    ['a part of it', 'https://storage.azure.com/'],
    ['more than it', `${STORAGE}/x`],
    ['a NUL', `${STORAGE}\0`],
  ])('P22 denies a scope: %s', (_name, scope) => {
    expect(t.decideOn(asks(scope), rule())).toEqual(t.denied('request.scope'))
  })

  it.each([
    ['another tenant', { tenantId: CLIENT }, 'request.tenant_id'],
    ['common', { tenantId: 'common' }, 'request.tenant_id'],
    ['a path', { tenantId: '../x' }, 'request.tenant_id'],
    ['braces', { tenantId: `{${TENANT}}` }, 'request.tenant_id'],
    ['capitals', { clientId: CLIENT.toUpperCase() }, 'request.client_id'],
    ['another client', { clientId: TENANT }, 'request.client_id'],
  ])('P23 denies a request that names %s', (_name, names, reason) => {
    expect(t.decideOn(asks(STORAGE, names), rule())).toEqual(t.denied(reason))
  })

  it('has nothing for requests to AWS', () => {
    expect(t.decideOn(t.input(), rule())).toEqual(t.denied('request.target'))
  })

  it('stands beside grant.aws in one rule: one target a request', () => {
    const both = { ...t.rule(), grant: { ...t.rule().grant, azure } }
    expect(t.grantOf(t.decideOn(t.input(), both))).toMatchObject({ target: 'aws', roleArn: t.READER })
    expect(t.grantOf(t.decideOn(asks(STORAGE), both))).toMatchObject({ target: 'azure', scope: STORAGE })
    expect(
      t
        .policyOf(both)
        .explain(asks(STORAGE))
        .map((it) => [it.rule, it.target]),
    ).toEqual([
      ['reader', 'aws'],
      ['reader', 'azure'],
    ])
  })

  it('P09 takes neither of two applications, unless the request says which', () => {
    const other = rule({ client_id: TENANT }, 'others')
    const ambiguous = { allow: false, code: 'invalid_request', reason: 'request.ambiguous_application' }
    expect(t.decideOn(asks(STORAGE), rule(), other)).toEqual(ambiguous)
    expect(t.decideOn(asks(STORAGE), rule(), rule({ tenant_id: CLIENT }, 'elsewhere'))).toEqual(ambiguous)
    expect(t.grantOf(t.decideOn(asks(STORAGE, { clientId: TENANT }), rule(), other))).toMatchObject({
      clientId: TENANT,
    })
    expect(t.grantOf(t.decideOn(asks(STORAGE), rule(), rule({ scopes: [STORAGE] }, 'same')))).toMatchObject({
      clientId: CLIENT,
    })
  })

  it('shows scope, tenant and client to expressions', () => {
    const when = `request.scope == "${STORAGE}" && !has(request.tenant_id) && request.client_id == "${CLIENT}"`
    expect(t.decideOn(asks(STORAGE, { clientId: CLIENT }), { ...rule(), when })).toMatchObject({ allow: true })
    expect(t.decideOn(asks(STORAGE), { ...rule(), when })).toEqual(t.denied('when'))
  })

  const g = 'rules[0].grant.azure'
  it.each<[string, t.Loose, string]>([
    ['P23 a tenant by name', { tenant_id: 'common' }, `${g}.tenant_id`],
    ['P23 a tenant by domain', { tenant_id: 'contoso.example.com' }, `${g}.tenant_id`],
    ['P23 braces', { client_id: `{${CLIENT}}` }, `${g}.client_id`],
    ['capitals', { client_id: CLIENT.toUpperCase() }, `${g}.client_id`],
    ['no tenant', { tenant_id: undefined }, `${g}.tenant_id`],
    ['no scope', { scopes: [] }, `${g}.scopes`],
    ['P22 a wildcard', { scopes: ['https://*.azure.com/.default'] }, `${g}.scopes[0]`],
    ['P22 no /.default', { scopes: ['https://storage.azure.com/user_impersonation'] }, `${g}.scopes[0]`],
    ['P22 two in one', { scopes: [`${STORAGE} ${STORAGE}`] }, `${g}.scopes[0]`],
    ['P22 offline_access', { scopes: ['offline_access'] }, `${g}.scopes[0]`],
    ['a scope twice', { scopes: [STORAGE, STORAGE] }, `${g}.scopes`],
    ['an unknown key', { authority: 'https://login.example.com' }, `${g}.authority`],
  ])('is refused with %s', (_name, parts, path) => {
    expect(t.refusalOf(t.document(rule(parts)))).toEqual(t.invalid(path))
  })
})
