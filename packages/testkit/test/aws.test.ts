import { createConnection } from 'node:net'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { describe, expect, it } from '@jest/globals'
import { startAws } from '../src/aws.ts'
import { askUrl, refusal, USER } from './helpers.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

describe('startAws', () => {
  it('lets a fault answer in its place, and tells it the body', async () => {
    const aws = await startAws()
    aws.addUser(USER)
    const client = new STSClient({ endpoint: aws.endpoint, region: 'us-east-1', credentials: USER, maxAttempts: 2 })
    let seen = ''
    aws.fault = (_req, res, body) => {
      seen = body
      aws.fault = undefined
      res.writeHead(503).end()
      return true
    }
    await client.send(new GetCallerIdentityCommand({})) // the SDK tries again
    expect(seen).toBe('Action=GetCallerIdentity&Version=2011-06-15')
    expect(aws.calls).toHaveLength(1)
    aws.fault = () => false
    expect(await refusal(client.send(new GetCallerIdentityCommand({})))).toBeUndefined()
    client.destroy()
    await aws.close()
  })

  it('refuses duplicate parameters, long bodies and ARNs that are no user', async () => {
    const aws = await startAws()
    const twice = await askUrl(`${aws.endpoint}/?Action=GetCallerIdentity`, { method: 'POST' }, 'Action=AssumeRole')
    expect([twice.status, aws.refusals.at(-1)?.code]).toEqual([400, 'ValidationError'])
    expect((await askUrl(aws.endpoint, { method: 'POST' }, 'x'.repeat(65_537))).status).toBe(413)
    expect(() => aws.addUser({ ...USER, arn: 'arn:aws:iam::111122223333:role/x' })).toThrow(TypeError)
    await aws.close()
  })

  it('ends idle connections when it closes', async () => {
    const aws = await startAws()
    const socket = createConnection(Number(new URL(aws.endpoint).port), '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const ended = new Promise((resolve) => socket.once('close', resolve))
    await aws.close()
    await ended
    await aws.close()
  })
})
