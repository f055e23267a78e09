import type { AccessToken } from '@azure/core-auth'
import { describe, expect, it, jest } from '@jest/globals'
import { createAzureTokens } from '../src/internal/azure-tokens.ts'
import type { Refusal } from '../src/internal/refusal.ts'

const NOW = 1_700_000_000_000
const SOON = NOW + 3_600_000

function setUp(answer?: (scope: string) => Promise<AccessToken | null>, users = 1) {
  const state = { now: NOW }
  const getToken = jest.fn(
    answer ?? (async (scope: string) => ({ token: `for-${scope}`, expiresOnTimestamp: state.now + 3_600_000 })),
  )
  const failures: Refusal[] = []
  const tokenFor = createAzureTokens({
    credential: { getToken: getToken as () => Promise<AccessToken | null> },
    users,
    timeoutMs: 1000,
    clock: () => state.now,
    random: () => 0,
    closing: new AbortController().signal,
    onFailure: (it) => failures.push(it),
  })
  return { state, getToken, tokenFor, failures }
}

describe('createAzureTokens', () => {
  it('asks for the scope of exactly this resource, and once', async () => {
    const { tokenFor, getToken } = setUp()
    await Promise.all([tokenFor('https://a'), tokenFor('https://a'), tokenFor('https://a/')])
    expect(getToken.mock.calls.map(([scope]) => scope)).toEqual(['https://a/.default', 'https://a//.default'])
    expect(getToken.mock.calls[0]).toMatchObject([expect.anything(), { abortSignal: expect.any(AbortSignal) }])
  })

  it.each([
    ['nothing', null],
    ['an empty token', { token: '', expiresOnTimestamp: SOON }],
    ['no string', { token: 7, expiresOnTimestamp: SOON }],
    ['a token with a line break', { token: 'a\nb', expiresOnTimestamp: SOON }],
    ['a huge token', { token: 'x'.repeat(65_537), expiresOnTimestamp: SOON }],
    ['no expiry', { token: 'x' }],
    ['an expiry as text', { token: 'x', expiresOnTimestamp: String(SOON) }],
    ['an expiry without end', { token: 'x', expiresOnTimestamp: Infinity }],
    ['an expiry that is no number', { token: 'x', expiresOnTimestamp: Number.NaN }],
    ['an expiry in microseconds', { token: 'x', expiresOnTimestamp: 1.8e15 }],
    ['an expiry that no date has', { token: 'x', expiresOnTimestamp: 8.7e15 }],
    ['an old one', { token: 'x', expiresOnTimestamp: 1 }],
  ])('I16 I19 makes 503 of %s', async (_name, answer) => {
    const { tokenFor, failures } = setUp(async () => answer as unknown as AccessToken)
    await expect(tokenFor('https://a')).rejects.toMatchObject({ status: 503, options: { retryAfterSeconds: 30 } })
    expect(failures).toHaveLength(1)
  })

  it('does not let one failing resource hold up another', async () => {
    const { tokenFor, getToken } = setUp()
    getToken.mockRejectedValueOnce(new Error('down'))
    await expect(tokenFor('https://a')).rejects.toMatchObject({ status: 500 })
    expect((await tokenFor('https://b')).token).toBe('for-https://b/.default')
  })

  it('I11 bounds the resources, and forgets the one that was not used for longest', async () => {
    const { tokenFor, getToken } = setUp()
    for (let i = 0; i < 100; i++) await tokenFor(`https://${i}`)
    await tokenFor('https://0')
    await tokenFor('https://one-more')
    expect(getToken).toHaveBeenCalledTimes(101)
    await tokenFor('https://0')
    expect(getToken).toHaveBeenCalledTimes(101)
    await tokenFor('https://1')
    expect(getToken).toHaveBeenCalledTimes(102)
  })

  it('I19 made-up resources do not become a storm upstream', async () => {
    const { state, tokenFor, getToken } = setUp(async () => Promise.reject(new Error('no such resource')))
    const tries = await Promise.allSettled(Array.from({ length: 500 }, (_, i) => tokenFor(`https://${i}`)))
    expect(getToken).toHaveBeenCalledTimes(50)
    expect(tries.filter((it) => it.status === 'rejected' && it.reason.status === 429)).toHaveLength(450)
    state.now += 30_000
    await expect(tokenFor('https://new')).rejects.toMatchObject({ status: 500 })
  })

  it('I11 I15 made-up resources cost no real one its token, and keep no other user out', async () => {
    const answer = async (scope: string) => {
      if (scope.includes('made-up')) throw new Error('no such resource')
      return { token: 'x', expiresOnTimestamp: SOON }
    }
    const { state, tokenFor, getToken } = setUp(answer, 2)
    for (let i = 0; i < 50; i++) await tokenFor(`https://real-${i}`, 1000)
    for (let round = 0; round < 4; round++) {
      state.now += 30_000
      for (let i = 0; i < 1000; i++) await tokenFor(`https://made-up-${round}-${i}`, 1001).catch(() => {})
    }
    expect(getToken).toHaveBeenCalledTimes(50 + 4 * 25)
    for (let i = 0; i < 50; i++) await tokenFor(`https://real-${i}`, 1000)
    expect(getToken).toHaveBeenCalledTimes(50 + 4 * 25)
    expect((await tokenFor('https://another', 1000)).token).toBe('x')
    await expect(tokenFor('https://another-made-up', 1001)).rejects.toMatchObject({ status: 429 })
  })
})
