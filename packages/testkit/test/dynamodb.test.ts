import { createHmac } from 'node:crypto'
import { afterAll, describe, expect, it } from '@jest/globals'
import { startAws } from '../src/aws.ts'
import { answerDynamoDb } from '../src/dynamodb.ts'
import { canonicalRequest, sha256Hex } from '../src/internal/sigv4-canonical.ts'
import { askUrl, USER } from './helpers.ts'

const aws = await startAws()
aws.addUser(USER)
for (const name of ['b', 'a', 'c']) aws.addTable(name)
afterAll(() => aws.close())

const LIST = 'DynamoDB_20120810.ListTables'
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()

interface Ask {
  body?: string
  target?: string
  service?: string
  accessKeyId?: string
  ageSeconds?: number
}

/** A call signed by hand: this package has no SDK client for DynamoDB. */
async function call(o: Ask = {}) {
  const { body = '{}', target = LIST, service = 'dynamodb', accessKeyId = USER.accessKeyId, ageSeconds = 0 } = o
  const date = new Date(Date.now() - ageSeconds * 1000).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const scope = `${date.slice(0, 8)}/us-east-1/${service}/aws4_request`
  const headers = { host: new URL(aws.endpoint).host, 'x-amz-date': date, 'x-amz-target': target }
  const signedHeaders = Object.keys(headers).sort()
  const request = { method: 'POST', target: '/', headers: Object.entries(headers), body: Buffer.from(body) }
  const canonical = canonicalRequest(request, { signedHeaders, payloadHash: sha256Hex(body), s3: false })
  const key = scope.split('/').reduce<string | Buffer>((k, part) => hmac(k, part), `AWS4${USER.secretAccessKey}`)
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256Hex(canonical)}`).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  const answer = await askUrl(aws.endpoint, { method: 'POST', headers: { ...headers, authorization } }, body)
  return { ...answer, json: JSON.parse(answer.text) as unknown }
}

describe('answerDynamoDb', () => {
  it('lists tables, in pages', async () => {
    const { status, headers, json } = await call()
    expect([status, headers['content-type'], json]).toEqual([
      200,
      'application/x-amz-json-1.0',
      { TableNames: ['a', 'b', 'c'] },
    ])
    expect((await call({ body: '{"Limit":2}' })).json).toEqual({ TableNames: ['a', 'b'], LastEvaluatedTableName: 'b' })
    expect((await call({ body: '{"ExclusiveStartTableName":"b"}' })).json).toEqual({ TableNames: ['c'] })
    expect(aws.calls.at(-1)).toEqual({ action: 'ListTables', params: {}, principal: USER.arn })
  })

  it.each<[string, Ask, string]>([
    ['another operation', { target: 'DynamoDB_20120810.PutItem' }, 'UnknownOperationException'],
    ['what is no JSON', { body: '{' }, 'SerializationException'],
    ['a list', { body: '[]' }, 'SerializationException'],
    ['too many tables', { body: '{"Limit":101}' }, 'ValidationException'],
    ['a limit that is no number', { body: '{"Limit":"1"}' }, 'ValidationException'],
    ['a field that it does not know', { body: '{"TableName":"a"}' }, 'ValidationException'],
    ['a signature for another service', { service: 'sts' }, 'InvalidSignatureException'],
    ['a stale signature', { ageSeconds: 600 }, 'InvalidSignatureException'],
    ['an unknown key', { accessKeyId: 'AKIAI44QH8DHBEXAMPLE' }, 'UnrecognizedClientException'],
  ])('refuses %s', async (_, o, code) => {
    const { status, json } = await call(o)
    expect([status, json]).toMatchObject([400, { __type: `com.amazon.coral.service#${code}` }])
    expect(aws.refusals.at(-1)).toMatchObject({ code })
  })

  it('refuses what is not signed', async () => {
    const { status, text } = await askUrl(aws.endpoint, { method: 'POST', headers: { 'x-amz-target': LIST } }, '{}')
    expect(status).toBe(400)
    expect(text).toContain('MissingAuthenticationTokenException')
  })

  it('keeps to the policy of a session', () => {
    const policies = ['{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}']
    const session = { token: '', expiresAtMs: 0, policies, tags: [], transitiveTagKeys: [] }
    const caller = { ...USER, userId: '', session }
    const ask = () => answerDynamoDb(LIST, Buffer.from('{}'), { caller, tables: new Set(), sourceIp: '127.0.0.1' })
    expect(ask).toThrow(expect.objectContaining({ code: 'AccessDeniedException' }))
  })
})
