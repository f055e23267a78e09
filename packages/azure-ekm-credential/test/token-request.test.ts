import type { GetTokenOptions } from '@azure/core-auth'
import { describe, expect, it } from '@jest/globals'
import { EkmCredentialError } from '../src/index.ts'
import { readTokenRequest } from '../src/internal/token-request.ts'
import { MANAGEMENT, SCOPE, TENANT } from './harness.ts'

const OTHER = '22222222-3333-4444-8555-666666666666'

function refusalOf(scopes: unknown, options: GetTokenOptions = {}, own?: string): EkmCredentialError {
  try {
    readTokenRequest(scopes as string, options, own)
  } catch (error) {
    if (error instanceof EkmCredentialError) return error
  }
  throw new TypeError('expected a refusal')
}

describe('readTokenRequest', () => {
  it.each([
    SCOPE,
    'https://management.core.windows.net//.default',
    'https://hardbounddemo.blob.core.windows.net/.default',
    'api://66666666-7777-4888-8999-aaaaaaaaaaaa/.default',
    '00000003-0000-0000-c000-000000000000/.default',
  ])('takes %s as it is, alone or in a list', (scope) => {
    expect(readTokenRequest(scope, {}, undefined)).toEqual({ scope, tenantId: undefined })
    expect(readTokenRequest([scope], {}, undefined)).toEqual({ scope, tenantId: undefined })
  })

  it.each<[string, unknown]>([
    ['none', []],
    ['two', [SCOPE, MANAGEMENT]],
    ['the same one twice', [SCOPE, SCOPE]],
    ['two in one', `${SCOPE} ${MANAGEMENT}`],
    ['a scope with a space after it', `${SCOPE} `],
    ['a scope with a line after it', `${SCOPE}\r\nx: y/.default`],
    ['a delegated scope', 'https://graph.microsoft.com/User.Read'],
    ['offline_access', 'offline_access'],
    ['another case', 'https://storage.azure.com/.Default'],
    ['a resource', 'https://storage.azure.com'],
    ['nothing', ''],
    ['a kilobyte', `https://${'a'.repeat(1024)}/.default`],
    ['a number', [7]],
  ])('P22 refuses %s, and says what to do', (_what, scopes) => {
    const error = refusalOf(scopes)
    expect(error).toMatchObject({ code: 'ERR_EKM_SCOPE', name: 'AuthenticationError' })
    expect(error.message).toContain('https://storage.azure.com/.default')
  })

  it('C14 asks for the tenant that the client was told of, in lower case', () => {
    const upper = 'AAAAAAAA-2222-4333-8444-BBBBBBBBBBBB'
    expect(readTokenRequest(SCOPE, { tenantId: upper }, undefined).tenantId).toBe(upper.toLowerCase())
    expect(readTokenRequest(SCOPE, { tenantId: TENANT }, TENANT).tenantId).toBe(TENANT)
    expect(readTokenRequest(SCOPE, {}, TENANT).tenantId).toBe(TENANT)
  })

  it.each([
    ['C14 another tenant than its own', OTHER],
    ['P23 common', 'common'],
    ['P23 a path', '../'],
    ['P23 braces', `{${TENANT}}`],
    ['P23 nothing', ''],
  ])('refuses %s', (_what, tenantId) => {
    expect(refusalOf(SCOPE, { tenantId }, TENANT)).toMatchObject({ code: 'ERR_EKM_UNSUPPORTED' })
  })

  it('U22 C14 refuses a claims challenge, and proof of possession', () => {
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
    expect(refusalOf(SCOPE, { claims, enableCae: true })).toMatchObject({ code: 'ERR_EKM_UNSUPPORTED' })
    const proofOfPossessionOptions = {
      nonce: 'n',
      resourceRequestMethod: 'GET',
      resourceRequestUrl: 'https://x',
    } as const
    expect(refusalOf(SCOPE, { proofOfPossessionOptions })).toMatchObject({ code: 'ERR_EKM_UNSUPPORTED' })
  })

  it('C14 takes what changes nothing about the token', () => {
    const options = { enableCae: true, tracingOptions: {}, claims: '', requestOptions: { timeout: 1 } }
    expect(readTokenRequest(SCOPE, options, undefined)).toEqual({ scope: SCOPE, tenantId: undefined })
  })
})
