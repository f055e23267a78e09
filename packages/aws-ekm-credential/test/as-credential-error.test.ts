import { inspect } from 'node:util'
import { EkmTlsError, type EkmTlsErrorCode } from '@hardbound/ekm-tls'
import { BrokerClientError, type BrokerClientErrorCode } from '@hardbound/ekm-tls/client'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { callerIdentityCheck, EkmCredentialError, type FromEkmInit, fromEkm } from '../src/index.ts'
import { asCredentialError } from '../src/internal/as-credential-error.ts'
import { ACCOUNT, type Harness, REGION, ROLE, rejection, startHarness } from './harness.ts'
import { type Answer, keysFor, startScriptedBroker } from './scripted-broker.ts'

const about = { broker: 'https://broker.example.com', roleArn: ROLE }

describe('asCredentialError', () => {
  it.each<[BrokerClientErrorCode | EkmTlsErrorCode, string, boolean]>([
    ['ERR_ATTESTATION_UNAVAILABLE', 'ERR_EKM_NOT_ATTESTABLE', true],
    ['ERR_ATTESTATION_SOCKET', 'ERR_EKM_ATTESTATION_FAILED', false],
    ['ERR_ATTESTATION_REFUSED', 'ERR_EKM_ATTESTATION_FAILED', false],
    ['ERR_BROKER_REFUSED', 'ERR_EKM_BROKER_REFUSED', false],
    ['ERR_BROKER_RESPONSE', 'ERR_EKM_RESPONSE', false],
    ['ERR_EKM_UNREACHABLE', 'ERR_EKM_BROKER_UNREACHABLE', true],
    ['ERR_EKM_PROXY', 'ERR_EKM_BROKER_UNREACHABLE', true],
    ['ERR_EKM_CLOSED', 'ERR_EKM_BROKER_UNREACHABLE', true],
    ['ERR_EKM_TIMEOUT', 'ERR_EKM_TIMEOUT', false],
    ['ERR_EKM_ABORTED', 'ERR_EKM_TIMEOUT', false],
    ['ERR_EKM_UNTRUSTED', 'ERR_EKM_BROKER_UNTRUSTED', false],
    ['ERR_EKM_TLS', 'ERR_EKM_BROKER_UNTRUSTED', false],
    ['ERR_EKM_PROTOCOL_VERSION', 'ERR_EKM_BROKER_UNTRUSTED', false],
    ['ERR_EKM_RESUMED', 'ERR_EKM_BROKER_UNTRUSTED', false],
    ['ERR_EKM_ALPN', 'ERR_EKM_BROKER_UNTRUSTED', false],
    ['ERR_EKM_NOT_ESTABLISHED', 'ERR_EKM_BROKER_UNTRUSTED', false],
    ['ERR_EKM_RESPONSE', 'ERR_EKM_RESPONSE', false],
  ])('%s becomes %s; the next provider may try: %s', (from, code, tryNextLink) => {
    const cause = from.startsWith('ERR_EKM')
      ? new EkmTlsError(from as EkmTlsErrorCode, 'why')
      : new BrokerClientError(from as BrokerClientErrorCode, 'why')
    const error = asCredentialError(cause, about)
    expect(error).toMatchObject({ name: 'EkmCredentialError', code, tryNextLink, cause })
    expect(error.message).toBe(`no credentials for ${ROLE} from https://broker.example.com: why`)
  })

  it.each([
    [429, 'rate_limited', 'ERR_EKM_BROKER_UNREACHABLE', ''],
    [503, 'overloaded', 'ERR_EKM_BROKER_UNREACHABLE', ''],
    [403, 'policy_denied', 'ERR_EKM_BROKER_REFUSED', 'audit log'],
    [401, 'binding_mismatch', 'ERR_EKM_BROKER_REFUSED', 'ends TLS'],
  ])('%d %s becomes %s, and says where to look', (status, name, code, hint) => {
    const refusal = { status, code: name, requestId: 'r', retryAfterSeconds: undefined }
    const error = asCredentialError(new BrokerClientError('ERR_BROKER_REFUSED', 'no', { refusal }), about)
    expect(error).toMatchObject({ code })
    expect(error.message).toContain(hint)
  })

  it('says nothing of an error that it does not know', () => {
    const error = asCredentialError(new Error('secret'), { ...about, roleArn: undefined })
    expect(error).toMatchObject({ code: 'ERR_EKM_RESPONSE' })
    expect(error.message).toBe('no credentials for the role of this workload from https://broker.example.com')
  })

  it('leaves its own errors as they are, and takes an abort between two tries for the time limit', () => {
    const own = new EkmCredentialError('ERR_EKM_RESPONSE', 'x')
    expect(asCredentialError(own, about)).toBe(own)
    expect(asCredentialError(Object.assign(new Error('aborted'), { name: 'AbortError' }), about).code).toBe(
      'ERR_EKM_TIMEOUT',
    )
  })
})

describe('no error holds a secret, however it is printed', () => {
  let harness: Harness
  beforeAll(async () => {
    harness = await startHarness()
  })
  afterAll(() => harness.close())

  const good = keysFor('reader', ACCOUNT)
  const echo = (status: number) => ({
    status,
    body: { ...good, error: { code: good.SecretAccessKey, note: good.SessionToken } },
  })
  const answers: [string, Answer, Partial<FromEkmInit>?][] = [
    ['an answer that is no HTTP', { body: Buffer.from(`HTTP/1.1 200 OK\r\n${good.SecretAccessKey}\r\n\r\n`) }],
    ['a refusal that echoes', echo(403)],
    ['an overload that echoes', echo(503)],
    ['an answer that is not JSON', { body: `${JSON.stringify(good)}!` }],
    [
      'an answer cut off',
      { body: Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n${JSON.stringify(good)}`) },
    ],
    ['keys without an end', { body: { ...good, Expiration: good.SecretAccessKey } }],
    ['keys with a bad token', { body: { ...good, SessionToken: `${good.SessionToken}\n` } }],
    ['keys of another role', { body: { ...good, AssumedRoleArn: `arn:aws:sts::${ACCOUNT}:assumed-role/b/s1` } }],
    ['keys that AWS does not know', { body: good }],
  ]

  it.each(answers.flatMap(([what, answer]) => (['v2', 'go-v1'] as const).map((it) => [what, it, answer] as const)))(
    '%s (%s)',
    async (_what, protocol, answer) => {
      const broker = await startScriptedBroker(harness.pki, () => answer)
      const checkIdentity = callerIdentityCheck({ region: REGION, endpoint: harness.aws.endpoint })
      const init = harness.init({ broker: broker.broker, maxAttempts: 1, protocol, checkIdentity })
      const error = await rejection(fromEkm(init)())
      await broker.close()
      const { body, ekm } = broker.seen[0]!
      const secrets = [good.SecretAccessKey, good.SessionToken, ...Object.values(body).map(signatureOf), ...ekm]
      const printed = print(error)
      for (const secret of secrets) {
        for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64')]) {
          expect(printed).not.toContain(form)
        }
      }
    },
  )
})

/** The part of a token that nobody can know without it; other text as it is. */
const signatureOf = (text: string): string => text.split('.').at(-1)!

/** An error as careless code could print it: message, all properties and causes, and what octets they hold. */
function print(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const held = Object.getOwnPropertyNames(error).map((name) => (error as Record<string, unknown>)[name])
  const octets = held.filter((it) => it instanceof Uint8Array).map((it) => Buffer.from(it).toString('latin1'))
  const causes = held.filter((it) => it instanceof Error).map(print)
  return [inspect(error, { depth: Number.POSITIVE_INFINITY, maxStringLength: null }), ...octets, ...causes].join('\n')
}
