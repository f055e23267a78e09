import { describe, expect, it, jest } from '@jest/globals'
import type { HttpAnswer } from '../src/transport.ts'
import { assumed, ROLE, USER } from './sts-harness.ts'

describe('octets of an answer', () => {
  it.each([
    ['a session', 200],
    ['a refusal', 403],
  ])('are zeroed when %s was read from them', async (_, status) => {
    const body = Buffer.from(assumed())
    const answer: HttpAnswer = { status, headers: {}, body }
    jest.unstable_mockModule('../src/transport/post.ts', () => ({ post: () => Promise.resolve(answer) }))
    const { createStsClient } = await import('../src/sts-client.ts')
    const { softwareHmac } = await import('../src/software-backend.ts')
    const client = createStsClient({
      ...USER,
      backend: softwareHmac(USER),
      region: 'us-east-1',
      maxAttempts: 1,
    } as never)
    await client.assumeRole({ RoleArn: ROLE, RoleSessionName: 'workload' }).catch(() => {})
    expect(body.every((octet) => octet === 0)).toBe(true)
    jest.resetModules()
  })
})
