import type {
  AwsGrant,
  AzureGrant,
  CredentialRequest,
  Grant,
  Policy,
  PolicyDecision,
  Protocol,
} from '@hardbound/broker-core'
import { Command, Option } from 'commander'
import { CliError, usageError } from '../cli-error.ts'
import { collect, parseTime, readInput, readToken } from '../input.ts'
import { note, print, printJson } from '../output.ts'

interface Options {
  readonly token: string
  readonly request?: string
  readonly protocol: Protocol
  readonly peerSpki?: string
  readonly peerDns?: readonly string[]
  readonly peerUri?: readonly string[]
  readonly audience?: string
  readonly jwks?: string
  readonly pki?: boolean
  readonly at?: number
  readonly json?: boolean
}

/** `hardbound policy test`: rule by rule, which condition a token meets. */
export function policyTestCommand(): Command {
  return new Command('test')
    .description('explain, rule by rule, which conditions hold for a token, and what would be granted')
    .argument('<policy>', 'policy file')
    .requiredOption('--token <file>', 'attestation token; - for stdin')
    .option('--request <file>', 'the request, JSON as on the wire; without it: AWS, no role named')
    .addOption(new Option('--protocol <protocol>', 'how it asks').choices(['v2', 'go-v1']).default('v2'))
    .option('--peer-spki <hex>', "SHA-256 of the client certificate's SubjectPublicKeyInfo")
    .option('--peer-dns <name>', 'DNS name in the client certificate; may be given several times', collect)
    .option('--peer-uri <uri>', 'URI in the client certificate; may be given several times', collect)
    .option('--audience <audience>', 'the audience the token must name')
    .option('--jwks <file>', "the issuer's keys, a JWK set")
    .option('--pki', "check the certificates the token carries, up to Google's pinned root")
    .option('--at <time>', 'check the token as of this ISO 8601 time instead of now', parseTime)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ hardbound policy test policy.yaml --token token.jwt
  $ echo '{"target":"aws","role_arn":"arn:aws:iam::111122223333:role/reader"}' > request.json
  $ hardbound policy test policy.yaml --token token.jwt --request request.json \\
      --jwks google.json --audience https://broker.example.com --at 2026-11-22T12:00:00Z

Exit code 0 only where a rule would grant; with --jwks or --pki only where the token is good, too.`,
    )
    .action(testPolicy)
}

async function testPolicy(file: string, options: Options): Promise<void> {
  const [{ checkToken }, { readUnverified }, { parseRequest }] = await Promise.all([
    import('../internal/check-token.ts'),
    import('../internal/read-unverified.ts'),
    import('../internal/parse-request.ts'),
  ])
  const policy = await loadPolicyFile(file)
  const token = await readToken(options.token)
  const request: CredentialRequest =
    options.request === undefined ? ANY_AWS_ROLE : parseRequest(await readInput(options.request, '--request'))

  const isVerifying = options.jwks !== undefined || options.pki === true || options.audience !== undefined
  const { outcomes, verified, warning } = await checkToken(token, options)
  // An old token does to try rules with; what it says of the workload must be acceptable all the same.
  const checks = isVerifying ? outcomes : outcomes.filter(({ check }) => check.startsWith('claim.'))
  const refused = checks.filter(({ outcome }) => outcome === 'fail')

  const attestation = await readUnverified(token)
  const input = { attestation, request, peer: peerOf(options), protocol: options.protocol }
  const decision = policy.decide(input)
  const rules = policy.explain(input)
  const grants = decision.allow && refused.length === 0
  if (!grants) process.exitCode = 1
  if (warning !== undefined) note(warning)
  if (options.json === true) return printJson({ grants, verified, decision, checks, rules })

  print(`checks of the token\n${checks.map(({ check, outcome, detail }) => line(outcome, check, detail)).join('\n')}`)
  for (const { rule, target, conditions } of rules) {
    const lines = conditions.map(({ condition, held, detail }) => line(held ? 'held' : 'NOT held', condition, detail))
    print(`\nrule ${rule} (${target})\n${lines.join('\n')}`)
  }
  print(
    `\n${sentence(
      decision,
      grants,
      refused.map(({ check }) => check),
    )}`,
  )
}

const ANY_AWS_ROLE: CredentialRequest = {
  target: 'aws',
  roleArn: undefined,
  durationSeconds: undefined,
  sessionToken: false,
}

async function loadPolicyFile(filename: string): Promise<Policy> {
  const { loadPolicy, PolicyError } = await import('@hardbound/broker-core')
  const text = await readInput(filename, 'policy')
  try {
    return loadPolicy(text, { filename })
  } catch (cause) {
    if (cause instanceof PolicyError) throw new CliError(cause.message, { cause })
    throw cause
  }
}

function peerOf({ peerSpki, peerDns = [], peerUri = [] }: Options) {
  if (peerSpki !== undefined && !/^[0-9a-f]{64}$/.test(peerSpki)) {
    throw usageError('--peer-spki must be 64 lower-case hexadecimal digits')
  }
  return { address: '127.0.0.1', spkiSha256: peerSpki, san: { dns: peerDns, uri: peerUri } }
}

const line = (outcome: string, name: string, detail: string): string =>
  `  ${outcome.padEnd(9)} ${name.padEnd(25)} ${detail}`.trimEnd()

function sentence(decision: PolicyDecision, grants: boolean, refused: readonly string[]): string {
  if (!decision.allow) return `denied: ${decision.reason}`
  if (!grants) return `denied: rule ${decision.rule} would grant, but the token is refused: ${refused.join(', ')}`
  return `granted by rule ${decision.rule}: ${inWords(decision.grant)}`
}

function inWords(grant: Grant): string {
  const { roleArn, durationSeconds, scope, clientId } = grant as Partial<
    Pick<AwsGrant, 'roleArn' | 'durationSeconds'> & Pick<AzureGrant, 'scope' | 'clientId'>
  >
  if (grant.target === 'azure') return `a token of application ${clientId} for ${scope}`
  return `${roleArn ?? 'credentials'}${durationSeconds === undefined ? '' : ` for ${durationSeconds} s`}`
}
