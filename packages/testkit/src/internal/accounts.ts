import { createHash, randomBytes, randomInt } from 'node:crypto'

/** A temporary set of credentials, and what was asked for it. */
export interface Session {
  readonly token: string
  readonly expiresAtMs: number
  /** Absent in a session of GetSessionToken, which keeps its user's identity. */
  readonly roleArn?: string
  /** Its own policy and managed ones: it may do what any of them allows and none denies. Empty: everything. */
  readonly policies: readonly string[]
  readonly tags: readonly Tag[]
  readonly transitiveTagKeys: readonly string[]
  readonly sourceIdentity?: string | undefined
}

/** A session tag. */
export interface Tag {
  readonly key: string
  readonly value: string
}

/** Whoever owns an access key. */
export interface Principal {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly arn: string
  readonly userId: string
  readonly session?: Session
  readonly mfa?: Mfa | undefined
}

/** A user's device. */
export interface Mfa {
  readonly serialNumber: string
  /** Those that are good now; each once. */
  readonly tokenCodes: Set<string>
}

/** An IAM role, and who may take it. */
export interface Role {
  readonly arn: string
  /** ARNs of users, roles or sessions. */
  readonly trusts: readonly string[]
  readonly externalId?: string
  /** Default: 3600. */
  readonly maxSessionSeconds?: number
  /** Default: false. */
  readonly requireSourceIdentity?: boolean
  /** Default: false. */
  readonly requireMfa?: boolean
}

/** All keys and roles of one emulator. */
export interface Accounts {
  readonly principals: Map<string, Principal>
  readonly roles: Map<string, Role>
  /** Managed policies: documents by ARN. */
  readonly policies: Map<string, string>
  /** Trusted context assertions, as `ProviderArn ContextAssertion`. */
  readonly contexts: Set<string>
}

/** `111122223333` of an ARN. */
export const accountOf = (arn: string): string => arn.split(':')[4] ?? ''

/** What AWS calls a unique id, `AROA` and 17 characters; here it follows from the ARN. */
export const uniqueId = (prefix: 'AIDA' | 'AROA', arn: string): string =>
  prefix + createHash('sha256').update(arn).digest('hex').slice(0, 17).toUpperCase()

/** Makes temporary keys for an identity, and remembers them. */
export function openSession(
  accounts: Accounts,
  { arn, userId }: Pick<Principal, 'arn' | 'userId'>,
  session: Omit<Session, 'token'>,
  minTokenOctets = 0,
): Principal & { session: Session } {
  const principal = {
    accessKeyId: `ASIA${Array.from({ length: 16 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')}`,
    secretAccessKey: randomBytes(30).toString('base64'),
    arn,
    userId,
    session: { ...session, token: randomBytes(Math.max(240, Math.ceil(minTokenOctets / 4) * 3)).toString('base64') },
  }
  accounts.principals.set(principal.accessKeyId, principal)
  return principal
}

/** What a session of a role is made of. */
export interface RoleSessionInit extends Omit<Session, 'token' | 'roleArn'> {
  readonly roleArn: string
  readonly roleSessionName: string
  readonly minTokenOctets?: number
}

/** Makes temporary keys for a role, and remembers them. Whether the role lets anybody in is for the caller to know. */
export function openRoleSession(
  accounts: Accounts,
  { roleSessionName, minTokenOctets, ...session }: RoleSessionInit,
): Principal & { session: Session } {
  const { roleArn } = session
  const name = roleArn.slice(roleArn.lastIndexOf('/') + 1)
  const arn = `arn:${roleArn.split(':')[1]}:sts::${accountOf(roleArn)}:assumed-role/${name}/${roleSessionName}`
  return openSession(
    accounts,
    { arn, userId: `${uniqueId('AROA', roleArn)}:${roleSessionName}` },
    session,
    minTokenOctets,
  )
}

/** When a session ends that lasts so long: whole seconds, as AWS writes them. Milliseconds since 1970. */
export const expiry = (nowMs: number, seconds: number): number => (Math.floor(nowMs / 1000) + seconds) * 1000

/** `2026-11-01T13:00:00Z` */
export const timestamp = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
