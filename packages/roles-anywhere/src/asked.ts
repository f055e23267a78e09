/** What is asked of IAM Roles Anywhere. */
export interface SessionAsked {
  /** `arn:aws:rolesanywhere:<region>:<12 digits>:trust-anchor/<id>` */
  trustAnchorArn: string
  /** `arn:aws:rolesanywhere:<region>:<12 digits>:profile/<id>`, in the trust anchor's region. */
  profileArn: string
  /** `arn:aws:iam::<12 digits>:role/<path/name>` */
  roleArn: string
  /** Seconds, 900 to 43200. Default: not sent, so that the profile's own setting holds. */
  durationSeconds?: number | undefined
  /** 2 to 64 of `A-Za-z0-9_+=,.@-`; the profile has to accept it. Default: the certificate's serial number, by the service. */
  roleSessionName?: string | undefined
}

/** {@link SessionAsked} that was checked, with what its ARNs say. */
export interface CheckedAsked extends Readonly<SessionAsked> {
  /** Of trust anchor and profile. */
  readonly region: string
  readonly role: { readonly partition: string; readonly account: string; readonly name: string }
}

const PARTITION = 'aws[a-z-]{0,20}'
const ID = '[A-Za-z0-9-]{1,128}'
const TRUST_ANCHOR = new RegExp(`^arn:${PARTITION}:rolesanywhere:([a-z0-9-]{1,63}):\\d{12}:trust-anchor/${ID}$`)
const PROFILE = new RegExp(`^arn:${PARTITION}:rolesanywhere:([a-z0-9-]{1,63}):\\d{12}:profile/${ID}$`)
const ROLE = new RegExp(`^arn:(${PARTITION}):iam::(\\d{12}):role/(?:[\\x21-\\x7e]{1,510}/)?([\\w+=,.@-]{1,64})$`)
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/

/**
 * Checks what is asked for, before anything is read or sent.
 *
 * @throws {TypeError | RangeError} that names the option which can't be right.
 */
export function checkAsked(asked: SessionAsked): CheckedAsked {
  const { trustAnchorArn, profileArn, roleArn, durationSeconds, roleSessionName } = asked
  const [, region = ''] = matched(
    TRUST_ANCHOR,
    trustAnchorArn,
    'trustAnchorArn',
    'arn:aws:rolesanywhere:…:trust-anchor/…',
  )
  const [, profileRegion = ''] = matched(PROFILE, profileArn, 'profileArn', 'arn:aws:rolesanywhere:…:profile/…')
  const [, partition = '', account = '', name = ''] = matched(ROLE, roleArn, 'roleArn', 'arn:aws:iam::…:role/…')
  if (region !== profileRegion) {
    throw new TypeError(
      `"profileArn" is in ${profileRegion} and "trustAnchorArn" in ${region}: they must be in one region`,
    )
  }
  if (durationSeconds !== undefined) assertDuration(durationSeconds)
  if (roleSessionName !== undefined && (typeof roleSessionName !== 'string' || !SESSION_NAME.test(roleSessionName))) {
    throw new TypeError('"roleSessionName" must be 2 to 64 characters of A-Z, a-z, 0-9 and _+=,.@-')
  }
  return {
    trustAnchorArn,
    profileArn,
    roleArn,
    durationSeconds,
    roleSessionName,
    region,
    role: { partition, account, name },
  }
}

function assertDuration(seconds: number): void {
  if (typeof seconds !== 'number') throw new TypeError('"durationSeconds" must be a number')
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200) {
    throw new RangeError(`"durationSeconds" must be a whole number from 900 to 43200, got ${seconds}`)
  }
}

function matched(form: RegExp, arn: unknown, option: string, like: string): RegExpExecArray {
  const match = typeof arn === 'string' ? form.exec(arn) : null
  if (match === null) throw new TypeError(`"${option}" must be an ARN like ${like}`)
  return match
}
