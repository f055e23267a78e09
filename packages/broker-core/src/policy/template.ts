import type { JsonValue } from '@hardbound/attestation-verify/strict-json'
import { PolicyError } from './policy-error.ts'
import type { PolicyVariables } from './variables.ts'

/** Values a template may stand for: nothing in them means anything in IAM policies (`*`, `?`, `$`) or in JSON. */
const SAFE_VALUE = /^[A-Za-z0-9+=,.@:/_-]+$/
const PLACEHOLDER = /\{\{([^{}]*)\}\}/g
const PATH = /^ *(assertion|peer|rule)((?:\.[A-Za-z0-9_-]+)+) *$/

/** What a template is filled with. */
export type TemplateVariables = Pick<PolicyVariables, 'assertion' | 'peer'> & { readonly rule: { readonly id: string } }

/** A text with `{{places}}` in it. */
export interface Template {
  /** Whether it has no places, so that it always is the same text. */
  readonly isFixed: boolean
  /** @returns `undefined` where a value is missing, not a scalar, or has characters outside `[A-Za-z0-9+=,.@:/_-]`. */
  fill(variables: TemplateVariables): string | undefined
}

/**
 * Compiles `arn:aws:s3:::bucket/{{assertion.submods.gce.instance_id}}/*`. Roots: `assertion`, `peer`, `rule`.
 *
 * @param path Where the text stands in the policy.
 * @throws {PolicyError} `ERR_POLICY_INVALID`
 */
export function compileTemplate(text: string, path: string): Template {
  const places = [...text.matchAll(PLACEHOLDER)]
  if (text.includes('{{{') || text.split('{{').length - 1 !== places.length) {
    throw new PolicyError('ERR_POLICY_INVALID', path, 'has a template that does not end')
  }
  const steps: { readonly before: string; readonly keys: readonly string[] }[] = []
  let end = 0
  for (const place of places) {
    const [, root, rest] = PATH.exec(place[1]!) ?? []
    if (root === undefined || rest === undefined) {
      throw new PolicyError('ERR_POLICY_INVALID', path, 'a template is {{assertion.…}}, {{peer.…}} or {{rule.id}}')
    }
    steps.push({ before: text.slice(end, place.index), keys: [root, ...rest.slice(1).split('.')] })
    end = place.index + place[0].length
  }
  const tail = text.slice(end)

  return {
    isFixed: steps.length === 0,
    fill(variables) {
      let filled = ''
      for (const { before, keys } of steps) {
        const value = safeValue(lookUp(variables, keys))
        if (value === undefined) return undefined
        filled += before + value
      }
      return filled + tail
    },
  }
}

/** Own properties only; lists by position. */
function lookUp(from: object, keys: readonly string[]): unknown {
  return keys.reduce<unknown>((value, key) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    if (Array.isArray(value) && !/^\d+$/.test(key)) return undefined
    return (value as Record<string, JsonValue>)[key]
  }, from)
}

function safeValue(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined
  const text = String(value)
  return SAFE_VALUE.test(text) ? text : undefined
}
