import { expect } from '@jest/globals'
import type { Koffi, NativeFunction } from '../../../src/store/native/koffi.ts'

type Call = (...given: never[]) => unknown

/** What an address leads to, by the type that it is read as. */
export interface FakeMemory {
  /** A `struct`, or the octets of an `array`, or what a pointer leads to. */
  readonly value: unknown
}

/**
 * koffi, with JavaScript for the libraries: checks that functions are called with as many arguments as they were declared with, that
 * out-parameters are arrays of one, and that lengths fit.
 */
export function fakeKoffi(
  functions: Readonly<Record<string, Call>>,
  symbols: Readonly<Record<string, unknown>> = {},
): Koffi {
  return {
    load: () => ({
      func(name, _result, parameters): NativeFunction {
        const implementation = functions[name]
        if (implementation === undefined) throw new Error(`no function ${name}`)
        const call = (...given: readonly unknown[]): unknown => {
          expect(given).toHaveLength(parameters.length)
          parameters.forEach((type, index) => {
            if (type === 'out') expect(given[index]).toHaveLength(1)
            if (type === 'uint8_t *') expect(given[index + 1]).toBe((given[index] as Uint8Array).length)
          })
          return implementation(...(given as never[]))
        }
        const async = (...given: readonly unknown[]): void => {
          const done = given.at(-1) as (error: Error | null, result?: unknown) => void
          setImmediate(() => {
            try {
              done(null, call(...given.slice(0, -1)))
            } catch (error) {
              done(error as Error)
            }
          })
        }
        return Object.assign(call, { async })
      },
      symbol(name) {
        if (!(name in symbols)) throw new Error(`no symbol ${name}`)
        return { value: symbols[name] }
      },
    }),
    struct: (fields) => ({ struct: Object.keys(fields) }),
    pointer: () => 'pointer',
    out: () => 'out',
    array: (_, length) => ({ length }),
    decode(address, type) {
      const { value } = address as FakeMemory
      if (typeof type === 'string') return value
      const { length, struct } = type as { length?: number; struct?: string[] }
      if (length !== undefined) expect(value).toHaveLength(length)
      if (struct !== undefined) expect(Object.keys(value as object)).toEqual(struct)
      return value
    },
  }
}
