import type { AwsCredentialIdentity } from '@smithy/types'
import { EkmCredentialError } from '../errors.ts'

/** What was asked for, to hold the answer against. */
export interface Expected {
  readonly protocol: 'v2' | 'go-v1'
  readonly roleArn: string | undefined
  readonly durationSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A session may seem to last this much longer than asked for, because clocks differ. */
const CLOCK_SKEW_SECONDS = 900

/**
 * Reads the broker's answer, field by field, and refuses keys that are not for the role or the time asked for.
 *
 * @throws {EkmCredentialError} `ERR_EKM_RESPONSE`, `ERR_EKM_IDENTITY_MISMATCH`
 */
export function readCredentials(answer: Readonly<Record<string, unknown>>, expected: Expected): AwsCredentialIdentity {
  // The Go server leaves Version at 0.
  if (answer.Version !== 1 && expected.protocol === 'v2') throw malformed('Version')
  const accountId = expected.protocol === 'v2' ? readAccount(answer.AssumedRoleArn, expected.roleArn) : undefined
  return {
    accessKeyId: readString(answer, 'AccessKeyId', /^[A-Z0-9]{16,128}$/),
    secretAccessKey: readString(answer, 'SecretAccessKey', /^[\x21-\x7e]{16,256}$/),
    sessionToken: readString(answer, 'SessionToken', /^[\x21-\x7e]{1,16384}$/),
    expiration: readExpiration(answer, expected),
    ...(accountId === undefined ? {} : { accountId }),
  }
}

function readString(answer: Readonly<Record<string, unknown>>, field: string, shape: RegExp): string {
  const value = answer[field]
  if (typeof value !== 'string' || !shape.test(value)) throw malformed(field)
  return value
}

function readExpiration(answer: Readonly<Record<string, unknown>>, { durationSeconds, now }: Expected): Date {
  const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/
  const time = Date.parse(readString(answer, 'Expiration', rfc3339))
  if (Number.isNaN(time)) throw malformed('Expiration')
  if (time <= now) throw new EkmCredentialError('ERR_EKM_RESPONSE', 'the credentials are expired; is the clock right?')
  if (time > now + (durationSeconds + CLOCK_SKEW_SECONDS) * 1000) {
    throw new EkmCredentialError('ERR_EKM_RESPONSE', 'the credentials outlast what was asked for; is the clock right?')
  }
  return new Date(time)
}

/** `arn:<partition>:sts::<account>:assumed-role/<role name>/<session>`; the role's path is not in it. */
const ASSUMED_ROLE_ARN = /^arn:(aws[\w-]*):sts::(\d{12}):assumed-role\/([\w+=,.@-]{1,64})\/[\w+=,.@-]{2,64}$/

/** The account of the assumed role, which must be the role that was asked for. */
function readAccount(assumedRoleArn: unknown, roleArn: string | undefined): string | undefined {
  if (assumedRoleArn === undefined && roleArn === undefined) return undefined
  const [, partition, account, name] = ASSUMED_ROLE_ARN.exec(String(assumedRoleArn)) ?? []
  if (account === undefined) throw malformed('AssumedRoleArn')
  if (roleArn !== undefined) {
    const [, askedPartition, , , askedAccount, path] = roleArn.split(':')
    if (partition !== askedPartition || account !== askedAccount || name !== path?.split('/').at(-1)) {
      throw new EkmCredentialError('ERR_EKM_IDENTITY_MISMATCH', `the broker's keys are not for ${roleArn}`)
    }
  }
  return account
}

const malformed = (field: string): EkmCredentialError =>
  new EkmCredentialError('ERR_EKM_RESPONSE', `the broker's answer has no valid "${field}"`)
