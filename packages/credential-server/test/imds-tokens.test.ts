import { describe, expect, it } from '@jest/globals'
import { createImdsTokens } from '../src/internal/imds-tokens.ts'

function setUp(users = 2) {
  const state = { now: 1000 }
  return { state, tokens: createImdsTokens({ users, clock: () => state.now }) }
}

describe('createImdsTokens', () => {
  it('I10 knows a token until its end, for its own user', () => {
    const { state, tokens } = setUp()
    const token = tokens.issue(1000, 60)
    expect(tokens.remainingSeconds(token, 1000)).toBe(60)
    expect(tokens.remainingSeconds(token, 1001)).toBeUndefined()
    expect(tokens.remainingSeconds(token, undefined)).toBeUndefined()
    expect(tokens.remainingSeconds(`${token.slice(0, -1)}!`, 1000)).toBeUndefined()
    state.now += 59_999
    expect(tokens.remainingSeconds(token, 1000)).toBe(0)
    state.now += 1
    expect(tokens.remainingSeconds(token, 1000)).toBeUndefined()
  })

  it('I11 a user who asks for 100,000 pushes out only his own', () => {
    const { tokens } = setUp()
    const theirs = Array.from({ length: 128 }, () => tokens.issue(1001, 60))
    const mine = Array.from({ length: 100_000 }, () => tokens.issue(1000, 21_600))
    const good = (all: string[], uid: number) => all.filter((it) => tokens.remainingSeconds(it, uid) !== undefined)
    expect(good(theirs, 1001)).toHaveLength(128)
    expect(good(mine, 1000)).toEqual(mine.slice(-128))
  })

  it('I11 drops the token that ends first, and those that are over before any other', () => {
    const { state, tokens } = setUp(128) // two each
    const [long, short] = [tokens.issue(1, 100), tokens.issue(1, 50)]
    const third = tokens.issue(1, 10)
    expect([long, short, third].map((it) => tokens.remainingSeconds(it, 1))).toEqual([100, undefined, 10])
    state.now += 10_000
    tokens.issue(1, 20)
    expect(tokens.remainingSeconds(long, 1)).toBe(90)
  })

  it('has one for each user, however many there are', () => {
    const { tokens } = setUp(10_000)
    const token = tokens.issue(1, 60)
    tokens.issue(2, 60)
    expect(tokens.remainingSeconds(token, 1)).toBe(60)
  })

  it('I12 keeps no token, only what it can be told by', () => {
    const { tokens } = setUp()
    expect(tokens.issue(1, 60)).toMatch(/^[A-Za-z0-9+/]{100}$/)
    expect(Object.keys(tokens)).toEqual(['issue', 'remainingSeconds'])
  })
})
