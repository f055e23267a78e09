import type { parse } from '@bufbuild/cel'

export type CelExpr = ReturnType<typeof parse>['expr']

const ROOTS: readonly string[] = ['assertion', 'request', 'peer']
/** What the evaluator handles itself: index, conditional, logic, and what macros expand to. */
const BUILT_IN: readonly string[] = ['_[_]', '_?_:_', '_&&_', '_||_', '@not_strictly_false']
const MAX_NODES = 500
const MAX_LOOP_DEPTH = 2
/** A regular expression is worth this many nodes. */
const MATCHES_COST = 2000

/** Nodes evaluated for collections of n items: `cost[0] + cost[1] n + cost[2] n²`. */
export type CelCost = readonly [number, number, number]

/** What the gate says to an expression. */
export type CelVerdict =
  | { readonly ok: true; readonly cost: CelCost; readonly patterns: readonly string[] }
  | { readonly ok: false; readonly problem: string }

/**
 * Looks at an expression before it ever runs: known names and functions only, regular expressions that stand in the
 * policy (never in a token), and a bound on the work, as the evaluator has none.
 *
 * @param isFunction Whether the evaluator has a function of that name.
 */
export function checkCel(expression: CelExpr, isFunction: (name: string) => boolean): CelVerdict {
  const patterns: string[] = []
  let nodes = 0

  const sum = (parts: readonly (CelExpr | undefined)[], names: readonly string[], depth: number): Cost =>
    parts.reduce<Cost>(
      (total, part) => (part === undefined ? total : add(total, costOf(part, names, depth))),
      [0, 0, 0],
    )

  const costOf = ({ exprKind: { case: kind, value } }: CelExpr, names: readonly string[], depth: number): Cost => {
    nodes += 1
    if (nodes > MAX_NODES) throw new Refusal('is too long')
    switch (kind) {
      case 'constExpr':
        return [1, 0, 0]
      case 'identExpr':
        if (!names.includes(value.name)) throw new Refusal('uses a name other than assertion, request and peer')
        return [1, 0, 0]
      case 'selectExpr':
        return add([1, 0, 0], sum([value.operand], names, depth))
      case 'listExpr':
        return add([1, 0, 0], sum(value.elements, names, depth))
      case 'structExpr': {
        if (value.messageName !== '') throw new Refusal('makes a message')
        const keys = value.entries.map(({ keyKind }) => (keyKind.case === 'mapKey' ? keyKind.value : undefined))
        return add([1, 0, 0], sum([...keys, ...value.entries.map((entry) => entry.value)], names, depth))
      }
      case 'callExpr': {
        if (!BUILT_IN.includes(value.function) && !isFunction(value.function))
          throw new Refusal('calls an unknown function')
        const isMatch = value.function === 'matches'
        if (isMatch) patterns.push(literal(value.args.at(-1)))
        return add([isMatch ? MATCHES_COST : 1, 0, 0], sum([value.target, ...value.args], names, depth))
      }
      case 'comprehensionExpr': {
        // A loop over the outcome of a loop counts as one inside it: what it goes over may be larger than the input.
        if (depth === MAX_LOOP_DEPTH) throw new Refusal('has loops in loops in loops')
        const inner = [...names, value.accuVar, value.iterVar]
        const once = sum([value.iterRange, value.accuInit, value.result], inner, depth + 1)
        const each = sum([value.loopCondition, value.loopStep], inner, depth + 1)
        return add(once, [0, each[0], each[1]])
      }
      default:
        throw new Refusal('has a part that is not allowed')
    }
  }

  try {
    return { ok: true, cost: costOf(expression, ROOTS, 0), patterns }
  } catch (e) {
    if (e instanceof Refusal) return { ok: false, problem: e.message }
    throw e
  }
}

type Cost = [number, number, number]
class Refusal extends Error {}

const add = (a: Cost, b: Cost): Cost => [a[0] + b[0], a[1] + b[1], a[2] + b[2]]

function literal(pattern: CelExpr | undefined): string {
  const kind = pattern?.exprKind
  if (kind?.case === 'constExpr' && kind.value.constantKind.case === 'stringValue') return kind.value.constantKind.value
  throw new Refusal('has a regular expression that is not written out')
}
