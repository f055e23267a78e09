import { type CelInput, CelScalar, celEnv, celMethod, isCelError, parse, plan } from '@bufbuild/cel'
import type { JsonValue } from '@hardbound/attestation-verify/strict-json'
import type { PolicyInput } from '../types.ts'
import { type CelCost, type CelExpr, checkCel } from './cel-gate.ts'
import { PolicyError } from './policy-error.ts'
import { policyVariables } from './variables.ts'

const MAX_EXPRESSION_BYTES = 4096
const MAX_MATCHED_CHARACTERS = 1024
/** Nodes that one evaluation may visit: some 50 ms at the very most. */
const MAX_WORK = 100_000

const standard = celEnv()
const standardMatches = standard.funcs.find('matches')!

/** RE2 syntax, linear time; on long texts that still is long. */
const matches = celMethod('matches', CelScalar.STRING, [CelScalar.STRING], CelScalar.BOOL, function (pattern) {
  if (this.length > MAX_MATCHED_CHARACTERS) throw new RangeError('text too long for matches()')
  const result = standardMatches.call(0, this, [pattern])
  if (typeof result !== 'boolean') throw new TypeError('no result')
  return result
})
const environment = celEnv({ funcs: [matches] })

/**
 * Compiles a CEL expression over `assertion`, `request` and `peer`.
 *
 * @param path Where it stands in the policy.
 * @returns Its value, `undefined` for every error. Only `true` may allow anything.
 * @throws {PolicyError} `ERR_POLICY_INVALID`
 */
export function compileCel(expression: string, path: string): (input: PolicyInput) => unknown {
  const refuse = (problem: string) => new PolicyError('ERR_POLICY_INVALID', path, problem)
  if (Buffer.byteLength(expression) > MAX_EXPRESSION_BYTES) throw refuse('is longer than 4 KiB')
  const ast = parseCel(expression)
  if (ast === undefined) throw refuse('is not a CEL expression')
  const verdict = checkCel(ast, (name) => environment.funcs.find(name) !== undefined)
  if (!verdict.ok) throw refuse(verdict.problem)
  if (!verdict.patterns.every(isPattern)) throw refuse('has a regular expression that is not RE2 syntax')
  const evaluate = plan(environment, ast)

  return (input) => {
    const { bindings, largest } = bind(input)
    if (work(verdict.cost, largest) > MAX_WORK) return undefined
    try {
      const result = evaluate(bindings)
      return isCelError(result) ? undefined : result
    } catch {
      return undefined
    }
  }
}

/** The parser recurses, and V8 aborts the process if its stack ends within a regular expression: hence bounds first. */
function parseCel(expression: string): CelExpr | undefined {
  if (count(expression, /[([{]/g) > 200 || count(expression, /[^\w\s]/g) > 1000) return undefined
  try {
    return parse(expression).expr
  } catch {
    return undefined
  }
}

const count = (text: string, what: RegExp): number => text.match(what)?.length ?? 0

function isPattern(pattern: string): boolean {
  try {
    return typeof standardMatches.call(0, '', [pattern]) === 'boolean'
  } catch {
    return false
  }
}

const work = ([fixed, linear, square]: CelCost, n: number): number => fixed + linear * n + square * n * n

interface Bound {
  readonly bindings: Record<string, CelInput>
  /** Items of the largest list or mapping. */
  readonly largest: number
}
const bound = new WeakMap<PolicyInput, Bound>()

/** Every rule of a decision sees the same input: it is converted once. */
function bind(input: PolicyInput): Bound {
  let it = bound.get(input)
  if (it === undefined) {
    const bindings: Record<string, CelInput> = {} // checkCel lets no other name through
    let largest = MIN_ITEMS
    const sized = (size: number) => {
      largest = Math.max(largest, size)
    }
    for (const [name, value] of Object.entries(policyVariables(input)))
      bindings[name] = toCelInput(value as JsonValue, sized)
    it = { bindings, largest }
    bound.set(input, it)
  }
  return it
}

/** Lists that stand in the expression are small, too. */
const MIN_ITEMS = 16

/**
 * Objects become Maps: of plain objects, the evaluator would look at properties such as `constructor` and `$typeName`, and
 * the names in a token are not ours.
 */
function toCelInput(value: JsonValue, sized: (size: number) => void): CelInput {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    sized(value.length)
    return value.map((item) => toCelInput(item, sized))
  }
  const entries = Object.entries(value)
  sized(entries.length)
  return new Map(entries.map(([key, item]) => [key, toCelInput(item, sized)]))
}
