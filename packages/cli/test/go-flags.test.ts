import { describe, expect, it } from '@jest/globals'
import { type GoFlags, goUsage, parseGoFlags } from '../src/go-credentials/go-flags.ts'
import vectors from './vectors/go-flags.json' with { type: 'json' }

/** As the program that made the vectors has them. */
const FLAGS = {
  text: { type: 'string', usage: 'a text', default: 'as it is' },
  'tpm-path': { type: 'string', usage: 'another text' },
  assumeRole: { type: 'bool', usage: 'a boolean' },
  handle: { type: 'int', usage: 'an integer', default: 0x81008003 },
  duration: { type: 'uint', usage: 'a whole number', default: 3600 },
  zero: { type: 'int', usage: 'an integer that is 0' },
} as const satisfies GoFlags

interface GoOutcome {
  args: string[]
  values?: Record<string, string | boolean>
  rest?: string[]
  error?: string
}
const cases = vectors.cases as GoOutcome[]
const read = cases.filter(({ error, rest }) => error === undefined && rest === undefined)
const ignored = cases.filter(({ rest }) => rest !== undefined)
const refused = cases.filter(({ error }) => error !== undefined)
const isHelp = ({ error }: GoOutcome) => error === 'flag: help requested'

describe('parseGoFlags', () => {
  it.each(read)('reads what Go reads: $args', ({ args, values: { handle, duration, zero, ...others } = {} }) => {
    const numbers = { handle: Number(handle), duration: Number(duration), zero: Number(zero) }
    expect(parseGoFlags(args, FLAGS)).toMatchObject({ kind: 'values', values: { ...others, ...numbers } })
  })
  it.each(refused.filter((it) => !isHelp(it)))(
    "refuses what Go refuses, in Go's words without the value: $args",
    (it) => {
      const why = it.error?.replace(/value ".*?" for/s, 'value for').replace(/^(bad flag syntax): .*/, '$1')
      expect(parseGoFlags(it.args, FLAGS)).toEqual({ kind: 'wrong', why })
    },
  )
  it.each(refused.filter(isHelp))('is asked for help where Go is: $args', ({ args }) => {
    expect(parseGoFlags(args, FLAGS)).toEqual({ kind: 'help' })
  })
  it.each(ignored)('refuses words that Go would ignore with all that follows: $args', ({ args }) => {
    expect(parseGoFlags(args, FLAGS)).toEqual({ kind: 'wrong', why: expect.stringContaining('no flag') })
  })
  it('tells which flags stood there', () => {
    expect(parseGoFlags(['-text', 'a', '--zero=0'], FLAGS)).toMatchObject({ given: new Set(['text', 'zero']) })
  })
  it('takes no flag from what every object has', () => {
    expect(parseGoFlags(['-constructor', 'a'], FLAGS)).toMatchObject({ kind: 'wrong' })
  })
  it('does not read a number without end', () => {
    expect(parseGoFlags([`-handle=${'1'.repeat(1_000_000)}`], FLAGS)).toMatchObject({ kind: 'wrong' })
  })
})

describe('goUsage', () => {
  it("is laid out as Go's", () => {
    expect(goUsage('example', FLAGS)).toBe(vectors.usage)
  })
})
