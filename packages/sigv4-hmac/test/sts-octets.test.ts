import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { StsHttpAnswer } from '../src/internal/sts-http.ts'
import { postToSts } from '../src/internal/sts-http.ts'
import { assumed, ROLE, USER } from './sts-harness.ts'

let octets = 0
const server = createServer((_req, res) => res.end(Buffer.alloc(octets, 0x20)))
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => new Promise((resolve) => server.close(resolve)))

describe('octets of an answer', () => {
  const post = (length: number) => {
    octets = length
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    return postToSts({ url, headers: {}, body: '', ca: undefined, signal: new AbortController().signal })
  }
  it('are read up to 64 KiB, whatever they are', async () => {
    await expect(post(65_536)).resolves.toMatchObject({ status: 200 })
    await expect(post(65_537)).rejects.toMatchObject({ code: 'ERR_STS_RESPONSE' })
    await expect(post(5_000_000)).rejects.toMatchObject({ code: 'ERR_STS_RESPONSE' })
  })

  it.each([
    ['a session', 200],
    ['a refusal', 403],
  ])('are zeroed when %s was read from them', async (_, status) => {
    const body = Buffer.from(assumed())
    const answer: StsHttpAnswer = { status, headers: {}, body }
    jest.unstable_mockModule('../src/internal/sts-http.ts', () => ({ postToSts: () => Promise.resolve(answer) }))
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
