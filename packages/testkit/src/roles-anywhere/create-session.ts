import { createHash } from 'node:crypto'
import {
  accountOf,
  expiry,
  type Principal,
  type RoleSessionInit,
  type Session,
  timestamp,
} from '../internal/accounts.ts'
import { headerValues } from '../internal/sigv4-canonical.ts'
import type { SignedHttpRequest } from '../sigv4-verify.ts'
import type { Account, ParsedTrustAnchor } from './account.ts'
import type { Certificate } from './certificate.ts'
import { assertSigningCertificate, findPath } from './chain.ts'
import { nameText } from './names.ts'
import { denied, invalid, invalidSignature, RolesAnywhereRefusal } from './refusal.ts'
import { sentCertificates } from './sent-certificates.ts'
import { parseSessionRequest, type SessionRequest } from './session-request.ts'
import { certificateTags, sourceIdentity } from './session-tags.ts'
import type { Profile, RolesAnywhereCall, SessionAnswer } from './test-roles-anywhere.ts'
import { assertTrusted } from './trust-policy.ts'
import { verifyX509Signature } from './x509-signature.ts'

/** What the world around a request is. */
export interface CreateSessionContext {
  readonly account: Account
  readonly nowMs: number
  readonly shortenSessionsTo: number | undefined
  readonly openRoleSession: (session: RoleSessionInit) => Principal & { session: Session }
}

const DEFAULT_SECONDS = 3600
const MAX_PACKED_OCTETS = 4096

/**
 * CreateSession, in the order of the User Guide: the signature, then the chain, then what the profile and the role allow.
 *
 * @throws {RolesAnywhereRefusal}
 */
export function createSession(
  request: SignedHttpRequest,
  { account, nowMs, shortenSessionsTo, openRoleSession }: CreateSessionContext,
): { call: RolesAnywhereCall; answer: SessionAnswer } {
  const { leaf, chain } = sentCertificates(request)
  const authorization = verifyX509Signature(request, { certificate: leaf, nowMs })
  const input = parseSessionRequest(request)
  const { anchor, profile } = find(input, account)
  const region = regionOf(anchor.arn)
  if (authorization.region !== region) {
    throw invalidSignature(`the scope is for ${authorization.region}, the trust anchor in ${region}`)
  }
  assertSigningCertificate(leaf)
  findPath(leaf, { ...anchor, intermediates: chain, nowMs })
  assertAllowed(input, profile)
  const durationSeconds = Math.min(
    input.durationSeconds ?? Number.POSITIVE_INFINITY,
    profile.durationSeconds ?? DEFAULT_SECONDS,
  )
  assertTrusted(account.roles.get(input.roleArn), { input, leaf, durationSeconds })
  const { tags } = certificateTags(leaf)
  const session = openRoleSession({
    roleArn: input.roleArn,
    roleSessionName: input.roleSessionName ?? leaf.serialHex,
    expiresAtMs: expiry(nowMs, shortenSessionsTo ?? durationSeconds),
    policies: profile.sessionPolicy === undefined ? [] : [profile.sessionPolicy],
    tags,
    transitiveTagKeys: [],
    sourceIdentity: sourceIdentity(leaf),
  })
  const [attempt] = headerValues(request, 'amz-sdk-request')
  const call: RolesAnywhereCall = {
    roleArn: input.roleArn,
    profileArn: input.profileArn,
    trustAnchorArn: input.trustAnchorArn,
    serial: authorization.serial,
    subject: nameText(leaf.subject),
    algorithm: authorization.algorithm,
    signedHeaders: authorization.signedHeaders,
    amzDate: authorization.amzDate,
    durationSeconds,
    ...(input.durationSeconds !== undefined && { requestedSeconds: input.durationSeconds }),
    ...(input.roleSessionName !== undefined && { roleSessionName: input.roleSessionName }),
    chainLength: chain.length,
    ...(attempt !== undefined && { attempt }),
    arnsIn: input.arnsIn,
    accessKeyId: session.accessKeyId,
    at: nowMs,
  }
  return { call, answer: answerOf(session, input, leaf) }
}

function find(input: SessionRequest, account: Account): { anchor: ParsedTrustAnchor; profile: Profile } {
  const anchor = account.trustAnchors.get(input.trustAnchorArn)
  const profile = account.profiles.get(input.profileArn)
  if (regionOf(input.trustAnchorArn) !== regionOf(input.profileArn)) {
    throw invalid('Trust anchor and profile are not in the same region')
  }
  if (anchor === undefined) throw new RolesAnywhereRefusal('ResourceNotFoundException', 'Trust anchor not found')
  if (profile === undefined) throw new RolesAnywhereRefusal('ResourceNotFoundException', 'Profile not found')
  return { anchor, profile }
}

function assertAllowed({ roleArn, roleSessionName }: SessionRequest, profile: Profile): void {
  if (profile.enabled === false) throw denied('Profile is disabled')
  if (!profile.roleArns.includes(roleArn))
    throw denied(`Unable to assume role for ${roleArn}`, 'the profile does not have the role')
  if (roleSessionName !== undefined && profile.acceptRoleSessionName !== true) {
    throw denied('Not authorized to set roleSessionName')
  }
}

function answerOf(
  { arn, userId, accessKeyId, secretAccessKey, session }: Principal & { session: Session },
  { roleArn, trustAnchorArn }: SessionRequest,
  leaf: Certificate,
): SessionAnswer {
  const subjectId = createHash('sha256').update(leaf.subject).digest('hex')
  const uuid = subjectId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')
  const packed = JSON.stringify([session.policies, session.tags]).length
  return {
    credentialSet: [
      {
        assumedRoleUser: { arn, assumedRoleId: userId },
        credentials: {
          accessKeyId,
          expiration: timestamp(session.expiresAtMs),
          secretAccessKey,
          sessionToken: session.token,
        },
        packedPolicySize: Math.ceil((packed / MAX_PACKED_OCTETS) * 100),
        roleArn,
        sourceIdentity: session.sourceIdentity ?? '',
      },
    ],
    subjectArn: `${trustAnchorArn.split(':', 4).join(':')}:${accountOf(trustAnchorArn)}:subject/${uuid}`,
  }
}

const regionOf = (arn: string): string => arn.split(':')[3] ?? ''
