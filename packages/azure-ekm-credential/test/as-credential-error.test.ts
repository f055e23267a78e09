import { inspect } from 'node:util'
import { EkmTlsError, type EkmTlsErrorCode } from '@hardbound/ekm-tls'
import { BrokerClientError, type BrokerClientErrorCode } from '@hardbound/ekm-tls/client'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { EkmCredential, EkmCredentialError } from '../src/index.ts'
import { asCredentialError } from '../src/internal/as-credential-error.ts'
import { CLIENT, type Harness, rejection, SCOPE, startHarness, TENANT } from './harness.ts'
import { type Answer, jwt, startScriptedBroker, tokenFor } from './scripted-broker.ts'

const about = { broker: 'https://broker.example.com', scope: SCOPE }
const [NEXT, STOP] = ['CredentialUnavailableError', 'AuthenticationError']

describe('asCredentialError', () => {
  it.each([
    ['ERR_ATTESTATION_UNAVAILABLE', 'ERR_EKM_NOT_ATTESTABLE', NEXT],
    ['ERR_ATTESTATION_SOCKET', 'ERR_EKM_ATTESTATION_FAILED', STOP],
    ['ERR_ATTESTATION_REFUSED', 'ERR_EKM_ATTESTATION_FAILED', STOP],
    ['ERR_BROKER_REFUSED', 'ERR_EKM_BROKER_REFUSED', STOP],
    ['ERR_BROKER_RESPONSE', 'ERR_EKM_RESPONSE', STOP],
    ['ERR_EKM_UNREACHABLE', 'ERR_EKM_BROKER_UNREACHABLE', NEXT],
    ['ERR_EKM_PROXY', 'ERR_EKM_BROKER_UNREACHABLE', NEXT],
    ['ERR_EKM_CLOSED', 'ERR_EKM_BROKER_UNREACHABLE', NEXT],
    ['ERR_EKM_TIMEOUT', 'ERR_EKM_TIMEOUT', STOP],
    ['ERR_EKM_ABORTED', 'ERR_EKM_TIMEOUT', STOP],
    ['ERR_EKM_UNTRUSTED', 'ERR_EKM_BROKER_UNTRUSTED', STOP],
    ['ERR_EKM_TLS', 'ERR_EKM_BROKER_UNTRUSTED', STOP],
    ['ERR_EKM_PROTOCOL_VERSION', 'ERR_EKM_BROKER_UNTRUSTED', STOP],
    ['ERR_EKM_RESUMED', 'ERR_EKM_BROKER_UNTRUSTED', STOP],
    ['ERR_EKM_ALPN', 'ERR_EKM_BROKER_UNTRUSTED', STOP],
    ['ERR_EKM_NOT_ESTABLISHED', 'ERR_EKM_BROKER_UNTRUSTED', STOP],
    ['ERR_EKM_RESPONSE', 'ERR_EKM_RESPONSE', STOP],
  ])('%s becomes %s, a %s', (from, code, name) => {
    const cause = from.startsWith('ERR_EKM')
      ? new EkmTlsError(from as EkmTlsErrorCode, 'why')
      : new BrokerClientError(from as BrokerClientErrorCode, 'why')
    const error = asCredentialError(cause, about)
    const message = `no token for ${SCOPE} from https://broker.example.com: why`
    expect(error).toMatchObject({ name, code, cause, message, statusCode: undefined })
    expect(error.errorResponse).toEqual({ error: code, errorDescription: message })
  })

  it.each([
    [429, 'rate_limited', 'ERR_EKM_BROKER_UNREACHABLE', '', undefined],
    [503, 'overloaded', 'ERR_EKM_BROKER_UNREACHABLE', '', undefined],
    [403, 'policy_denied', 'ERR_EKM_BROKER_REFUSED', 'audit log', 403],
    [401, 'binding_mismatch', 'ERR_EKM_BROKER_REFUSED', 'ends TLS', 401],
  ])('%d %s becomes %s, and says where to look', (status, name, code, hint, statusCode) => {
    const refusal = { status, code: name, requestId: 'r-1', retryAfterSeconds: undefined }
    const error = asCredentialError(new BrokerClientError('ERR_BROKER_REFUSED', 'no', { refusal }), about)
    expect(error).toMatchObject({ code, refusal, statusCode, errorResponse: { error: name, correlationId: 'r-1' } })
    expect(error.message).toContain(hint)
  })

  it('says nothing of an error that it does not know', () => {
    const error = asCredentialError(new Error('secret'), about)
    expect(error).toMatchObject({ code: 'ERR_EKM_RESPONSE' })
    expect(error.message).toBe(`no token for ${SCOPE} from https://broker.example.com`)
  })

  it('leaves its own errors as they are, and takes an abort between two tries for the time limit', () => {
    const own = new EkmCredentialError('ERR_EKM_RESPONSE', 'x')
    expect(asCredentialError(own, about)).toBe(own)
    const abort = Object.assign(new Error('aborted'), { name: 'AbortError' })
    expect(asCredentialError(abort, about).code).toBe('ERR_EKM_TIMEOUT')
  })
})

describe('no error holds a secret, however it is printed', () => {
  let harness: Harness
  beforeAll(async () => {
    harness = await startHarness()
  })
  afterAll(() => harness.close())

  const good = tokenFor()
  const go = { access_token: good.access_token, expires_in: new Date(good.expires_on * 1000).toISOString() }
  const canary = signatureOf(good.access_token)
  const echo = (status: number) => ({ status, body: { ...good, error: { code: canary, request_id: `${canary}!` } } })
  const answers: [string, Answer][] = [
    ['an answer that is no HTTP', { body: Buffer.from(`HTTP/1.1 200 OK\r\n${canary}\r\n\r\n`) }],
    ['a refusal that echoes', echo(403)],
    ['an overload that echoes', echo(503)],
    ['an answer that is not JSON', { body: `${JSON.stringify(good)}!` }],
    [
      'an answer cut off',
      { body: Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n${JSON.stringify(good)}`) },
    ],
    ['a token without an end', { body: { ...good, ...go, expires_on: canary, expires_in: canary } }],
    ['a token of another type', { body: { ...good, token_type: canary } }],
    ['a token with a line after it', { body: { ...good, ...go, access_token: `${good.access_token}\n` } }],
    ['a token of another tenant', { body: { ...good, ...go, access_token: jwt({ tid: 'x' }) } }],
  ]

  it.each(answers.flatMap(([what, answer]) => (['v2', 'go-v1'] as const).map((it) => [what, it, answer] as const)))(
    '%s (%s)',
    async (_what, protocol, answer) => {
      const broker = await startScriptedBroker(harness.pki, () => answer)
      const init = harness.init({ broker: broker.broker, maxAttempts: 1, protocol, tenantId: TENANT, clientId: CLIENT })
      const error = await rejection(new EkmCredential(init).getToken(SCOPE))
      await broker.close()
      const { body, ekm } = broker.seen[0]!
      const secrets = [canary, ...Object.values(body).map(signatureOf), ...ekm]
      const printed = print(error)
      for (const secret of secrets) {
        for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64')]) {
          expect(printed).not.toContain(form)
        }
      }
    },
  )

  it('nor does the credential itself, with a token in it', async () => {
    const credential = new EkmCredential(harness.init())
    const { token } = await credential.getToken(SCOPE)
    expect(inspect(credential, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(token)
    expect(JSON.stringify(credential)).toBe('{}')
  })
})

/** The part of a token that nobody can know without it; other text as it is. */
function signatureOf(text: string): string {
  return text.split('.').at(-1)!
}

/** An error as careless code could print it: message, all properties and causes, and what octets they hold. */
function print(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const held = Object.getOwnPropertyNames(error).map((name) => (error as Record<string, unknown>)[name])
  const octets = held.filter((it) => it instanceof Uint8Array).map((it) => Buffer.from(it).toString('latin1'))
  const causes = held.filter((it) => it instanceof Error).map(print)
  return [inspect(error, { depth: Number.POSITIVE_INFINITY, maxStringLength: null }), ...octets, ...causes].join('\n')
}
