import type { Peer } from '../types.ts'
import { compileCel } from './cel.ts'
import { type Condition, quote } from './condition.ts'
import type { GrantPlan } from './grant-plan.ts'
import type { RuleDocument } from './schema.ts'
import { workloadConditions } from './workload-conditions.ts'

/**
 * One rule's conditions. Each has a place in the order that all rules share, so that of two refusals one can tell which
 * got further.
 *
 * @throws {PolicyError} `ERR_POLICY_INVALID`
 */
export function ruleConditions(rule: RuleDocument, plan: GrantPlan, path: string): Condition[] {
  return [
    protocol(rule.protocols),
    target(plan),
    issuer(rule.workload.issuer),
    ...workloadConditions(rule.workload),
    ...peer(rule.peer),
    ...when(rule.when, `${path}.when`),
    ...plan.conditions,
  ]
}

/** Names of all conditions in the order in which rules check them. */
export const CONDITION_ORDER: readonly string[] = [
  'protocol',
  'request.target',
  'issuer',
  'claim.mrtd',
  'claim.rtmr0',
  'claim.rtmr1',
  'claim.rtmr2',
  'claim.rtmr3',
  'claim.launch_measurement',
  'claim.host_data',
  'claim.image_digest',
  'claim.image_signatures',
  'claim.project_number',
  'claim.zone',
  'claim.instance_id',
  'claim.service_accounts',
  'claim.hwmodel',
  'claim.swversion',
  'claim.env_override',
  'claim.cmd_override',
  'claim.args',
  'claim.restart_policy',
  'claim.memory_monitoring',
  'claim.attester_tcb',
  'claim.gpu_cc_mode',
  'peer.spki_sha256',
  'peer.dns',
  'peer.uri',
  'when',
  'request.action',
  'request.role_arn',
  'request.tenant_id',
  'request.client_id',
  'request.scope',
]

const protocol = (protocols: RuleDocument['protocols']): Condition => ({
  name: 'protocol',
  reason: 'protocol',
  holds: (input) => protocols.includes(input.protocol),
  detail: (input) => `${quote(input.protocol)} of ${quote(protocols)}`,
})

const target = (plan: GrantPlan): Condition => ({
  name: 'request.target',
  reason: 'request.target',
  holds: ({ request }) => request.target === plan.target,
  detail: ({ request }) => `${quote(request.target)}, the rule grants ${quote(plan.target)}`,
})

const issuer = (verifier: string): Condition => ({
  name: 'issuer',
  reason: 'issuer',
  holds: ({ attestation }) => attestation.verifier === verifier,
  detail: ({ attestation }) => `accepted by ${quote(attestation.verifier)}, must be ${quote(verifier)}`,
})

function peer(expected: RuleDocument['peer']): Condition[] {
  const one = (name: 'spki_sha256' | 'dns' | 'uri', read: (peer: Peer) => readonly string[]): Condition[] => {
    const allowed = expected?.[name]
    if (allowed === undefined) return []
    return [
      {
        name: `peer.${name}`,
        reason: 'peer.unmapped',
        holds: (input) => read(input.peer).some((it) => allowed.includes(it)),
        detail: (input) => `${quote(read(input.peer))}, one of ${quote(allowed)}`,
      },
    ]
  }
  return [
    ...one('spki_sha256', ({ spkiSha256 }) => (spkiSha256 === undefined ? [] : [spkiSha256])),
    ...one('dns', ({ san }) => san.dns),
    ...one('uri', ({ san }) => san.uri),
  ]
}

function when(expression: string | undefined, path: string): Condition[] {
  if (expression === undefined) return []
  const evaluate = compileCel(expression, path)
  return [
    {
      name: 'when',
      reason: 'when',
      holds: (input) => evaluate(input) === true,
      detail: (input) => {
        const result = evaluate(input)
        return typeof result === 'boolean'
          ? `the expression is ${String(result)}`
          : 'the expression is neither true nor false: a field is missing, types do not fit, or it was too much work'
      },
    },
  ]
}
