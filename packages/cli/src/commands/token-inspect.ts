import { hash } from 'node:crypto'
import type { CheckOutcome, JsonObject } from '@hardbound/attestation-verify'
import { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { collect, parseTime, readToken } from '../input.ts'
import { note, print, printJson } from '../output.ts'

interface Options {
  readonly audience?: string
  readonly jwks?: string
  readonly pki?: boolean
  readonly at?: number
  readonly nonce?: readonly string[]
  readonly showEnv?: boolean
  readonly json?: boolean
}

/** `hardbound token inspect`: what a token says, and which checks it stands. */
export function tokenInspectCommand(): Command {
  return new Command('inspect')
    .description('show an attestation token and every check that a verifier makes of it')
    .argument('[file]', 'the token; - or nothing: stdin', '-')
    .option('--audience <audience>', 'the audience it must name')
    .option('--jwks <file>', "the issuer's keys, a JWK set")
    .option('--pki', "check the certificates it carries, up to Google's pinned root")
    .option('--at <time>', 'check as of this ISO 8601 time instead of now', parseTime)
    .option('--nonce <nonce>', 'the nonces it must hold, in order; may be given several times', collect)
    .option('--show-env', "show values of the workload's environment, which may be secret")
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ hardbound token inspect token.jwt
  $ hardbound token inspect token.jwt --jwks google.json --audience https://broker.example.com
  $ hardbound token inspect token.jwt --pki --at 2026-11-22T12:00:00Z

Exit code 0 says that no check failed. Where some could not be made, for want of --jwks, --pki or --audience, "verified"
is false all the same.`,
    )
    .action(inspectToken)
}

async function inspectToken(file: string, options: Options): Promise<void> {
  const [{ AttestationError, decodeUnverified }, { checkToken }] = await Promise.all([
    import('@hardbound/attestation-verify'),
    import('../internal/check-token.ts'),
  ])
  const token = await readToken(file)
  const { outcomes, verified, warning } = await checkToken(token, options)
  const decoded = (() => {
    try {
      return decodeUnverified(token)
    } catch (cause) {
      if (!(cause instanceof AttestationError)) throw cause
      throw new CliError(`this is no attestation token: ${cause.check ?? cause.code}`, { cause })
    }
  })()
  const checks = options.nonce === undefined ? outcomes : [...outcomes, nonceCheck(decoded.payload, options.nonce)]
  const failed = checks.filter(({ outcome }) => outcome === 'fail')
  const result = {
    verified: verified && failed.length === 0,
    header: withFingerprints(decoded.header),
    claims: options.showEnv === true ? decoded.payload : withoutEnvironment(decoded.payload),
    checks,
  }
  if (failed.length > 0) process.exitCode = 1
  if (warning !== undefined) note(warning)
  if (options.json === true) return printJson(result)
  print(
    `header\n${JSON.stringify(result.header, null, 2)}\n\nclaims\n${JSON.stringify(result.claims, null, 2)}\n\nchecks`,
  )
  for (const { check, outcome, detail } of checks) print(`  ${outcome.padEnd(9)}${check.padEnd(26)}${detail}`.trimEnd())
  if (failed.length > 0) throw new CliError(`failed: ${failed.map(({ check }) => check).join(', ')}`)
}

type Check = Omit<CheckOutcome, 'check'> & { readonly check: CheckOutcome['check'] | 'nonces' }

function nonceCheck({ eat_nonce: held = [] }: JsonObject, expected: readonly string[]): Check {
  const nonces = [held].flat()
  const isSame = nonces.length === expected.length && expected.every((nonce, index) => nonces[index] === nonce)
  return { check: 'nonces', outcome: isSame ? 'pass' : 'fail', detail: `the token holds ${nonces.length}` }
}

/** Certificates say little in base64. */
function withFingerprints(header: JsonObject): JsonObject {
  if (!Array.isArray(header.x5c)) return header
  const x5c = header.x5c.map((it) =>
    typeof it === 'string' ? `sha256:${hash('sha256', Buffer.from(it, 'base64'))}` : it,
  )
  return { ...header, x5c }
}

/** Names stay, values go: `submods.container.env` and `env_override`. */
function withoutEnvironment(payload: JsonObject): JsonObject {
  const { submods } = payload
  if (!isObject(submods) || !isObject(submods.container)) return payload
  const container = { ...submods.container }
  for (const key of ['env', 'env_override']) {
    const values = container[key]
    if (isObject(values)) {
      container[key] = Object.fromEntries(Object.keys(values).map((name) => [name, '(hidden: --show-env)']))
    } else if (values !== undefined && values !== null) container[key] = '(hidden: --show-env)'
  }
  return { ...payload, submods: { ...submods, container } }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
