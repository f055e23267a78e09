import { StsError } from '../sts-error.ts'
import type { AssumeRoleInput, GetSessionTokenInput } from '../sts-input.ts'
import type { StsSession } from '../sts-session.ts'
import { partsOfRole } from './sts-input-checks.ts'
import { readXml, type XmlChildren, type XmlElement } from './xml-reader.ts'

/** How much longer than asked for a session may last, in milliseconds: as far as AWS lets clocks be apart. */
const SLACK_MS = 5 * 60_000
const ACCESS_KEY_ID = /^ASIA[A-Z0-9]{12,124}$/
const SECRET = /^[\x21-\x7e]{16,256}$/
const TOKEN = /^[\x21-\x7e]{16,16384}$/
const EXPIRATION = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

/** What was asked. */
export type StsAsked =
  | { readonly action: 'AssumeRole'; readonly input: AssumeRoleInput & { RoleSessionName: string } }
  | { readonly action: 'GetSessionToken'; readonly input: GetSessionTokenInput }

/**
 * Reads a 200, and holds it against what was asked.
 *
 * @throws {StsError} `ERR_STS_RESPONSE`
 */
export function readSession(body: Uint8Array, asked: StsAsked, nowMs: number): StsSession {
  const root = readXml(body)
  const result = root?.name === `${asked.action}Response` ? children(root.content, `${asked.action}Result`) : undefined
  const keys = children(result, 'Credentials')
  if (result === undefined || keys === undefined) throw wrong(asked, 'is not XML of STS')
  const session: StsSession = {
    accessKeyId: field(keys, 'AccessKeyId', ACCESS_KEY_ID, asked),
    secretAccessKey: field(keys, 'SecretAccessKey', SECRET, asked),
    sessionToken: field(keys, 'SessionToken', TOKEN, asked),
    expiration: new Date(field(keys, 'Expiration', EXPIRATION, asked)),
  }
  assertExpiration(session.expiration.getTime() - nowMs, asked)
  if (asked.action === 'GetSessionToken') return session
  const arn = children(result, 'AssumedRoleUser')?.get('Arn')
  const { RoleArn, RoleSessionName, SourceIdentity } = asked.input
  const { partition, account, name } = partsOfRole(RoleArn)
  const assumedRoleArn = `arn:${partition}:sts::${account}:assumed-role/${name}/${RoleSessionName}`
  if (arn !== assumedRoleArn) throw wrong(asked, 'is for another role, account or session name')
  if (SourceIdentity !== undefined && result.get('SourceIdentity') !== SourceIdentity) {
    throw wrong(asked, 'has another source identity')
  }
  return { ...session, accountId: account, assumedRoleArn }
}

function assertExpiration(leftMs: number, asked: StsAsked): void {
  const standard = asked.action === 'AssumeRole' ? 3_600 : 43_200
  const askedMs = (asked.input.DurationSeconds ?? standard) * 1000
  if (Number.isNaN(leftMs)) throw wrong(asked, 'has an expiration that is no time')
  if (leftMs <= 0) throw wrong(asked, 'has expired already')
  if (leftMs > askedMs + SLACK_MS) throw wrong(asked, 'lasts longer than asked for')
}

function field(of: XmlChildren, name: string, form: RegExp, asked: StsAsked): string {
  const value = of.get(name)
  if (typeof value !== 'string' || !form.test(value)) throw wrong(asked, `has no ${name} of the right form`)
  return value
}

function children(of: XmlElement | undefined, name: string): XmlChildren | undefined {
  const element = of instanceof Map ? (of as XmlChildren).get(name) : undefined
  return element instanceof Map ? element : undefined
}

const wrong = ({ action }: StsAsked, what: string): StsError =>
  new StsError('ERR_STS_RESPONSE', `the answer to ${action} ${what}`)
