import { basicConstraints, type Certificate, hasUsage, parseCertificate, pemBlocks } from './certificate.ts'
import { parseRevocationLists, type RevocationList } from './revocation.ts'
import { isArn } from './session-request.ts'
import { isStrong } from './signatures.ts'
import type { Profile, RolesAnywhereRole, TrustAnchor } from './test-roles-anywhere.ts'

/** What was set up in the emulator, by ARN. */
export interface Account {
  readonly trustAnchors: Map<string, ParsedTrustAnchor>
  readonly profiles: Map<string, Profile>
  readonly roles: Map<string, RolesAnywhereRole>
}

/** A trust anchor, ready for use. */
export interface ParsedTrustAnchor {
  readonly arn: string
  readonly anchors: readonly Certificate[]
  readonly lists: readonly RevocationList[]
}

/** @throws {TypeError} where the service would not take it as a trust anchor; {SyntaxError} where it is no certificate at all. */
export function parseTrustAnchor({ arn, caPem, crlPem }: TrustAnchor): ParsedTrustAnchor {
  if (!isArn(arn, 'trust-anchor')) throw new TypeError('"arn" must be that of a trust anchor')
  const anchors = pemBlocks(caPem, 'CERTIFICATE').map(parseCertificate)
  if (anchors.length === 0) throw new TypeError('"caPem" has no certificate')
  for (const anchor of anchors) {
    const isAuthority = basicConstraints(anchor)?.ca === true && hasUsage(anchor, 'keyCertSign')
    if (anchor.version !== 3 || !isAuthority) {
      throw new TypeError('"caPem" must be X.509 v3 with CA:TRUE and keyUsage keyCertSign')
    }
    if (!isStrong(anchor)) throw new TypeError('"caPem" must be signed with SHA-256 or stronger')
  }
  return { arn, anchors, lists: crlPem === undefined ? [] : parseRevocationLists(crlPem) }
}

/** @throws {TypeError} on ARNs of another form, {RangeError} on a duration outside 900 to 43200. */
export function checkProfile(profile: Profile): Profile {
  if (!isArn(profile.arn, 'profile')) throw new TypeError('"arn" must be that of a profile')
  if (!profile.roleArns.every((arn) => isArn(arn, 'role'))) throw new TypeError('"roleArns" must be those of roles')
  const { durationSeconds: seconds = 3600 } = profile
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200) {
    throw new RangeError(`"durationSeconds" must be 900 to 43200, got ${seconds}`)
  }
  return profile
}
