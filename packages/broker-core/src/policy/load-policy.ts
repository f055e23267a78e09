import type { Policy } from '../types.ts'
import { compileAwsGrant } from './aws-grant.ts'
import { compileAzureGrant } from './azure-grant.ts'
import { checkDocument } from './check-document.ts'
import { checkShape } from './check-shape.ts'
import { type CompiledRule, decide } from './decide.ts'
import { explain } from './explain.ts'
import { canonicalJson, copyPlainData, sha256Hex } from './plain-data.ts'
import { PolicyError } from './policy-error.ts'
import { ruleConditions } from './rule-conditions.ts'
import { policySchema, type RuleDocument } from './schema.ts'
import { parseStrictYaml } from './yaml.ts'

/**
 * Loads a policy file.
 *
 * @param text YAML 1.2 or JSON, at most 1 MiB.
 * @param options.filename Put before the messages of errors.
 * @returns A policy whose version is the SHA-256 of the text.
 * @throws {PolicyError}
 */
export function loadPolicy(text: string, { filename }: { filename?: string } = {}): Policy {
  try {
    return compile(parseStrictYaml(text), sha256Hex(text))
  } catch (e) {
    if (!(e instanceof PolicyError) || filename === undefined) throw e
    const problem = e.path === '' ? e.message : e.message.slice(e.path.length + 2)
    throw new PolicyError(e.code, e.path, problem, { cause: e, filename })
  }
}

/**
 * Compiles a policy that stands in a larger configuration, or in a program.
 *
 * @param document What a policy file would hold, parsed.
 * @returns A policy whose version is the SHA-256 of the document as JSON with sorted keys.
 * @throws {PolicyError} `ERR_POLICY_INVALID`
 */
export function compilePolicy(document: unknown): Policy {
  return compile(document, undefined)
}

function compile(document: unknown, textVersion: string | undefined): Policy {
  const data = copyPlainData(document)
  const checked = checkShape(policySchema, data)
  checkDocument(checked)
  const rules = checked.rules.flatMap(compileRule).sort(byId)
  return {
    version: textVersion ?? sha256Hex(canonicalJson(data)),
    decide: (input) => decide(rules, input),
    explain: (input) => explain(rules, input),
  }
}

/** One for each target of the rule. */
function compileRule(rule: RuleDocument, index: number): CompiledRule[] {
  const path = `rules[${index}]`
  const { aws, azure } = rule.grant
  const plans = [
    ...(aws === undefined ? [] : [compileAwsGrant(aws, rule.id, `${path}.grant.aws`)]),
    ...(azure === undefined ? [] : [compileAzureGrant(azure)]),
  ]
  return plans.map((plan) => ({ id: rule.id, plan, conditions: ruleConditions(rule, plan, path) }))
}

const byId = (a: CompiledRule, b: CompiledRule): number => (a.id === b.id ? 0 : a.id < b.id ? -1 : 1)
