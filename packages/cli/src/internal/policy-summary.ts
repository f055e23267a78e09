/** One rule, for people. */
export interface RuleSummary {
  readonly rule: string
  /** What a workload must be, one condition a line. */
  readonly to: readonly string[]
  readonly grants: string
}

/**
 * Says of every rule to whom it grants what.
 *
 * @param document A policy that the loader has accepted.
 */
export function summarisePolicy(document: unknown): RuleSummary[] {
  const { rules } = document as { rules: Rule[] }
  return rules.map(({ id, workload, peer = {}, when, protocols = ['v2'], grant: { aws, azure } }) => ({
    rule: id,
    to: [
      ...workloadConditions(workload),
      ...Object.entries(peer).map(([name, value]) => condition([`peer ${name}`, value])),
      ...(when === undefined ? [] : [`when ${when}`]),
      condition(['protocols', protocols]),
    ],
    grants: [...(aws === undefined ? [] : [grantOf(aws)]), ...(azure === undefined ? [] : [tokensOf(azure)])].join(
      '; ',
    ),
  }))
}

interface Rule {
  readonly id: string
  readonly workload: Readonly<Record<string, unknown>> & { readonly measurements?: Readonly<Record<string, unknown>> }
  readonly peer?: Readonly<Record<string, unknown>>
  readonly when?: string
  readonly protocols?: readonly string[]
  readonly grant: { readonly aws?: Aws; readonly azure?: Azure }
}

interface Aws {
  readonly role_arn?: string
  readonly role_arns?: readonly string[]
  readonly action?: string
  readonly max_duration_seconds?: number
  readonly session_policy?: unknown
  readonly source_ip?: unknown
}

interface Azure {
  readonly client_id: string
  readonly scopes: readonly string[]
}

const workloadConditions = ({ measurements, ...claims }: Rule['workload']): string[] =>
  Object.entries({ issuer: 'google', ...claims, ...measurements }).map(condition)

/** Values of the environment may be secret: their names say enough. */
function condition([name, value]: [string, unknown]): string {
  const shown = name === 'env_override' ? Object.keys(value as object) : value
  const list = Array.isArray(shown) ? shown : [shown]
  const texts = list.map((it) => (typeof it === 'string' ? it : JSON.stringify(it)))
  return `${name.replaceAll('_', ' ')}: ${texts.length === 0 ? 'none' : texts.join(', ')}`
}

function grantOf({ role_arn, role_arns = [], action, max_duration_seconds = 3600, ...rest }: Aws): string {
  const roles = action === 'get_session_token' ? ["a session of the broker's own user"] : [role_arn ?? role_arns].flat()
  const limited = rest.session_policy !== undefined || rest.source_ip !== undefined
  return `${roles.join(' or ')}, up to ${max_duration_seconds} s${limited ? ', within a session policy' : ''}`
}

const tokensOf = ({ client_id, scopes }: Azure): string =>
  `tokens of application ${client_id} for ${scopes.join(' or ')}`
