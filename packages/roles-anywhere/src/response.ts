import type { CheckedAsked } from './asked.ts'
import { RolesAnywhereError } from './errors.ts'

/** Temporary credentials, in the form of an AWS SDK's `AwsCredentialIdentity`, and what the service says of them. */
export interface RolesAnywhereSession {
  /** `ASIA…` */
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiration: Date
  /** `expiration` as the service wrote it. */
  readonly expirationText: string
  /** 12 digits. */
  readonly accountId: string
  /** `arn:aws:sts::<account>:assumed-role/<role>/<session>`, where the service says it. */
  readonly assumedRoleArn: string | undefined
  /** `arn:aws:rolesanywhere:<region>:<account>:subject/<id>`, where the service says it. */
  readonly subjectArn: string | undefined
}

/** What to do with an answer that is odd: keys of an unknown form, over, for longer than asked, of another role. */
export type AnswerRules = 'refuse' | 'warn'

/** How much longer than asked for a session may last, in milliseconds: as far as AWS lets clocks be apart. */
const SLACK_MS = 5 * 60_000
const MAX_SECONDS = 43_200
const ACCESS_KEY_ID = /^ASIA[A-Z0-9]{12,124}$/
const SECRET = /^[\x21-\x7e]{16,256}$/
const TOKEN = /^[\x21-\x7e]{16,16384}$/
const EXPIRATION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/
const ANY_KEY = /^[\x21-\x7e]{1,16384}$/
const ARN = /^arn:[\x21-\x7e]{1,2044}$/

/**
 * Reads a success, and holds it against what was asked. Members that nobody here uses are not looked at.
 *
 * @param nowMs By a clock that is right: this machine's, or corrected by what the service's says.
 * @param onOdd Told what is odd. Without it that is an error.
 * @throws {RolesAnywhereError} `ERR_RA_RESPONSE`
 * @see {@link https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html IAM Roles Anywhere, "CreateSession API"}
 */
export function readSession(
  body: Uint8Array,
  asked: CheckedAsked,
  nowMs: number,
  onOdd?: (error: RolesAnywhereError) => void,
): RolesAnywhereSession {
  const hold = (check: () => void): void => {
    try {
      check()
    } catch (error) {
      if (onOdd === undefined || !(error instanceof RolesAnywhereError)) throw error
      onOdd(error)
    }
  }
  const answer = parsed(body)
  const sets = answer.credentialSet
  if (!Array.isArray(sets) || sets.length !== 1) throw wrong('has not just one set of credentials')
  const set = recordOf(sets[0])
  const keys = recordOf(set.credentials)
  const expirationText = field(keys, 'expiration', EXPIRATION)
  const expiration = new Date(expirationText)
  hold(() => assertExpiration(expiration.getTime() - nowMs, asked))
  const arnOf = (of: Json, name: string): string | undefined => {
    let arn: string | undefined
    hold(() => {
      arn = optional(of, name)
    })
    return arn
  }
  const assumedRoleArn = arnOf(recordOf(set.assumedRoleUser ?? {}), 'arn')
  const roleArn = arnOf(set, 'roleArn')
  hold(() => assertRole({ assumedRoleArn, roleArn }, asked))
  const key = (name: string, form: RegExp): string => {
    const value = field(keys, name, ANY_KEY)
    hold(() => void field(keys, name, form))
    return value
  }
  return {
    accessKeyId: key('accessKeyId', ACCESS_KEY_ID),
    secretAccessKey: key('secretAccessKey', SECRET),
    sessionToken: key('sessionToken', TOKEN),
    expiration,
    expirationText,
    accountId: asked.role.account,
    assumedRoleArn,
    subjectArn: arnOf(answer, 'subjectArn'),
  }
}

type Json = Readonly<Record<string, unknown>>

function parsed(body: Uint8Array): Json {
  try {
    return recordOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)))
  } catch (error) {
    if (error instanceof RolesAnywhereError) throw error
    throw wrong('is not JSON') // without the cause, which may quote it
  }
}

function recordOf(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('lacks a part')
  return value as Json
}

function field(of: Json, name: string, form: RegExp): string {
  const value = Object.hasOwn(of, name) ? of[name] : undefined
  if (typeof value !== 'string' || !form.test(value)) throw wrong(`has no ${name} of the right form`)
  return value
}

const optional = (of: Json, name: string): string | undefined =>
  of[name] === undefined || of[name] === null ? undefined : field(of, name, ARN)

/** Keys of another role, account or session name are not used; nor are those that do not say whose they are. */
function assertRole(
  said: { assumedRoleArn: string | undefined; roleArn: string | undefined },
  { roleArn, role, roleSessionName }: CheckedAsked,
): void {
  const prefix = `arn:${role.partition}:sts::${role.account}:assumed-role/${role.name}/`
  const session = said.assumedRoleArn?.startsWith(prefix) ? said.assumedRoleArn.slice(prefix.length) : ''
  if (said.assumedRoleArn === undefined && said.roleArn === undefined) throw wrong('does not say whose the keys are')
  if (said.roleArn !== undefined && said.roleArn !== roleArn) throw wrong('is for another role')
  if (said.assumedRoleArn === undefined) return
  if (!/^[\w+=,.@-]{2,64}$/.test(session)) throw wrong('is for another role or account')
  if (roleSessionName !== undefined && session !== roleSessionName) throw wrong('is for another session name')
}

function assertExpiration(leftMs: number, { durationSeconds = MAX_SECONDS }: CheckedAsked): void {
  if (Number.isNaN(leftMs)) throw wrong('has an expiration that is no time')
  if (leftMs <= 0) throw wrong('has expired already')
  if (leftMs > durationSeconds * 1000 + SLACK_MS) throw wrong('lasts longer than asked for')
}

const wrong = (what: string): RolesAnywhereError =>
  new RolesAnywhereError('ERR_RA_RESPONSE', `the answer to CreateSession ${what}`)
