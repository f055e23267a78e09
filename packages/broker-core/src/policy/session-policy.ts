import { checkShape } from './check-shape.ts'
import { PolicyError } from './policy-error.ts'
import { type AwsGrantDocument, type SessionPolicyDocument, sessionPolicySchema } from './schema.ts'
import { compileTemplate, type TemplateVariables } from './template.ts'
import { parseStrictYaml } from './yaml.ts'

/** AWS STS AssumeRole, parameter Policy: at most 2,048 characters out of these. */
const MAX_CHARACTERS = 2048
const IAM_CHARACTERS = /^[\t\n\r\x20-\xff]*$/

/** Leaves everything the role may do, for a deny to take from. */
const ALLOW_ALL = { Effect: 'Allow', Action: '*', Resource: '*' } as const

/**
 * Makes the session policy of a grant: what `session_policy` says, less everything that `source_ip` rules out.
 *
 * @param path Of the `aws` block.
 * @returns Gives JSON text, `undefined` where a template can't be filled or the text gets too long; or no function, where
 * there is no session policy.
 * @throws {PolicyError} `ERR_POLICY_INVALID`
 */
export function compileSessionPolicy(
  { session_policy, source_ip }: AwsGrantDocument,
  path: string,
): ((variables: TemplateVariables) => string | undefined) | undefined {
  if (session_policy === undefined && source_ip === undefined) return undefined
  const at = `${path}.${session_policy === undefined ? 'source_ip' : 'session_policy'}`
  const base = session_policy === undefined ? undefined : parse(session_policy, at)
  const statements = base === undefined ? [ALLOW_ALL] : [base.Statement].flat()
  const policy = {
    ...(base ?? { Version: '2012-10-17' }),
    Statement: source_ip === undefined ? statements : [...statements, denyOutside(source_ip)],
  }

  // Values have nothing that JSON would escape, so templates can be filled in the JSON text itself.
  const template = compileTemplate(JSON.stringify(policy), at)
  const fits = (text: string | undefined): text is string =>
    text !== undefined && text.length <= MAX_CHARACTERS && IAM_CHARACTERS.test(text)
  const filledWith = (variables: TemplateVariables) => {
    const text = template.fill(variables)
    return fits(text) ? text : undefined
  }
  if (template.isFixed && filledWith({ assertion: {}, peer: {}, rule: { id: '' } }) === undefined) {
    throw new PolicyError('ERR_POLICY_INVALID', at, `must have at most ${MAX_CHARACTERS} characters, all of ISO 8859-1`)
  }
  return filledWith
}

function parse(policy: string | SessionPolicyDocument, at: string): SessionPolicyDocument {
  if (typeof policy !== 'string') return policy
  let document: unknown
  try {
    if (!policy.trimStart().startsWith('{')) throw new SyntaxError()
    document = parseStrictYaml(policy) // of which JSON is a part: this one refuses keys that are there twice
  } catch (cause) {
    throw new PolicyError('ERR_POLICY_INVALID', at, 'must be a mapping or JSON text', { cause })
  }
  return checkShape(sessionPolicySchema, document, [at])
}

/** Requests that AWS services make in the session's name come from their addresses, hence the second condition. */
const denyOutside = (networks: readonly string[]) => ({
  Effect: 'Deny',
  Action: '*',
  Resource: '*',
  Condition: { NotIpAddress: { 'aws:SourceIp': networks }, Bool: { 'aws:ViaAWSService': 'false' } },
})
