import { RolesAnywhereError } from '@hardbound/roles-anywhere'
import { CliError } from '../cli-error.ts'

/** Codes that the service's own model has; the original calls all others `api error`. */
const MODELLED: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'ResourceNotFoundException',
  'ValidationException',
])
const RETRIED: ReadonlySet<string> = new Set(['ERR_RA_UNREACHABLE', 'ERR_RA_THROTTLED'])
/** Of a library: their messages are for the operator and hold no secret. */
const OURS = /^ERR_[A-Z0-9_]{1,60}$/

/**
 * What went wrong, in one line without a secret. What the service said has the form that the original gives it, as scripts look for
 * that; then comes what to do about it, where that is known.
 *
 * @param maxAttempts Of CreateSession.
 */
export function failureText(error: unknown, maxAttempts = 3): string {
  if (error instanceof RolesAnywhereError) return rolesAnywhereText(error, maxAttempts)
  if (error instanceof CliError) return error.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return error instanceof Error && OURS.test(code) ? `${error.message} [${code}]` : 'internal error'
}

function rolesAnywhereText(error: RolesAnywhereError, maxAttempts: number): string {
  const { code, awsCode, awsMessage, requestId = '', status } = error
  const retried = RETRIED.has(code)
  if (status === undefined && code !== 'ERR_RA_UNREACHABLE') return `${inWordsOfFlags(error.message)} [${code}]`
  const attempts = retried ? `exceeded maximum number of attempts, ${maxAttempts}, ` : ''
  const head = `operation error RolesAnywhere: CreateSession, ${attempts}https response error StatusCode: ${status ?? 0}, RequestID: ${requestId}`
  if (status === undefined) return `${head}, request send failed, ${inWordsOfFlags(error.message)}`
  const said = awsMessage ?? 'UnknownError'
  const known = awsCode !== undefined && MODELLED.has(awsCode)
  const what = known ? `${awsCode}: ${said}` : `api error ${awsCode ?? 'UnknownError'}: ${said}`
  return `${head}, ${what}${hintOf(error)}`
}

/** What the library adds to the service's own words, or says in place of them. */
function hintOf({ message, awsMessage }: RolesAnywhereError): string {
  const at = awsMessage === undefined ? -1 : message.indexOf(awsMessage)
  const hint = awsMessage === undefined || at < 0 ? `; ${message}` : message.slice(at + awsMessage.length)
  return inWordsOfFlags(hint)
}

const NAMES: Readonly<Record<string, string>> = {
  trustAnchorArn: '--trust-anchor-arn',
  profileArn: '--profile-arn',
  roleArn: '--role-arn',
  roleSessionName: '--role-session-name',
  durationSeconds: '--session-duration',
  region: '--region',
  endpoint: '--endpoint',
  useFipsEndpoint: 'AWS_USE_FIPS_ENDPOINT',
  useDualstackEndpoint: 'AWS_USE_DUALSTACK_ENDPOINT',
  ca: 'AWS_CA_BUNDLE',
  proxy: 'the proxy of the environment',
  maxAttempts: 'AWS_MAX_ATTEMPTS',
  certificate: '--certificate',
  privateKey: '--private-key',
  intermediates: '--intermediates',
  uri: '--certificate',
  port: '--port',
  profile: '--profile',
  file: 'AWS_SHARED_CREDENTIALS_FILE',
  allowedUids: '--allow-uid',
}

/** Options of the library, in quotes there, by the flags and variables that they come from. */
export function inWordsOfFlags(message: string): string {
  const known = message
    .replace(', or with "dangerouslyAllowPlaintextEndpoint"', '') // no flag does that
    .replace(', or allow the try', ', or here at the prompt: without a PIN in the URI')
    .replace('and no password was given', 'and no password was given: --pkcs8-password')
  return known.replace(/"(\w+)"/g, (quoted, option: string) => NAMES[option] ?? quoted)
}

/** The library's complaint about an option becomes one about a flag. Anything else is thrown as it is. */
export function flagFailure(cause: unknown): never {
  if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause
  throw new CliError(inWordsOfFlags(cause.message), { cause })
}
