import { basicConstraints, type Certificate, hasUsage, keyIdentifiers } from './certificate.ts'
import { insufficient, untrusted } from './refusal.ts'
import { isRevoked, type RevocationList } from './revocation.ts'
import { isSignedBy, isStrong } from './signatures.ts'

/** What a path is looked for in. */
export interface Trust {
  readonly anchors: readonly Certificate[]
  /** What the client sent, in any order; leaf and roots among them are of no use, and do no harm. */
  readonly intermediates: readonly Certificate[]
  readonly lists: readonly RevocationList[]
  readonly nowMs: number
}

/**
 * Checks what the service asks of a certificate that signs requests (User Guide, "Signature validation").
 *
 * @throws {RolesAnywhereRefusal} "Insufficient certificate"
 */
export function assertSigningCertificate(leaf: Certificate): void {
  if (leaf.version !== 3) throw insufficient(`the certificate is X.509 v${leaf.version}, not v3`)
  if (basicConstraints(leaf)?.ca === true) throw insufficient('the certificate is of an authority (CA:TRUE)')
  if (!hasUsage(leaf, 'digitalSignature')) throw insufficient('keyUsage has no digitalSignature')
  if (!isStrong(leaf))
    throw insufficient(`the certificate is signed by a weak or unknown algorithm, ${leaf.signatureOid}`)
  if (leaf.subject.length <= EMPTY_NAME_OCTETS) throw insufficient('the certificate has an empty subject')
}

const EMPTY_NAME_OCTETS = 2

/**
 * Looks for a way from the certificate to a trust anchor.
 *
 * @returns The certificates, from the leaf to the anchor.
 * @throws {RolesAnywhereRefusal} "Untrusted signing certificate"; its `detail` says what stood in the way.
 */
export function findPath(leaf: Certificate, trust: Trust): Certificate[] {
  const reasons: string[] = []
  const path = extend([leaf], trust, reasons)
  if (path === undefined) throw untrusted(reasons.join('; ') || 'no issuer of the certificate is here')
  return path
}

/** Depth first. No certificate twice, so the walk ends: there are as many steps as certificates, and few of those. */
function extend(path: readonly Certificate[], trust: Trust, reasons: string[]): Certificate[] | undefined {
  const last = path.at(-1)!
  const fault = faultOf(last, path.length - 2, trust.nowMs)
  if (fault !== undefined) {
    reasons.push(fault)
    return undefined
  }
  if (trust.anchors.includes(last)) return [...path]
  const known = [
    ...trust.anchors,
    ...trust.intermediates.filter((other) => !path.some(({ der }) => der.equals(other.der))),
  ]
  for (const issuer of known.filter((candidate) => isNamed(last, candidate))) {
    const reason = whyNot(last, issuer, trust)
    if (reason === undefined) {
      const found = extend([...path, issuer], trust, reasons)
      if (found !== undefined) return found
    } else reasons.push(reason)
  }
  return undefined
}

/** What is wrong with a certificate at its place. `below`: how many authorities are between it and the leaf; -1 for the leaf. */
function faultOf(certificate: Certificate, below: number, nowMs: number): string | undefined {
  const who = below < 0 ? 'the certificate' : `an authority ${below + 1} above the certificate`
  if (nowMs < certificate.notBeforeMs) return `${who} is not valid yet`
  if (nowMs > certificate.notAfterMs) return `${who} has expired`
  if (below < 0) return undefined
  const constraints = basicConstraints(certificate)
  if (constraints?.ca !== true) return `${who} is none (no CA:TRUE)`
  if (!hasUsage(certificate, 'keyCertSign')) return `${who} may not sign certificates`
  if (below > constraints.pathLength) return `${who} allows ${constraints.pathLength} authorities below it`
  return undefined
}

/** Names, and key identifiers where both have one. */
function isNamed(certificate: Certificate, issuer: Certificate): boolean {
  const [wanted, own] = [keyIdentifiers(certificate).issuer, keyIdentifiers(issuer).own]
  const sameKey = wanted === undefined || own === undefined || wanted === own
  return certificate.issuer.equals(issuer.subject) && sameKey
}

function whyNot(certificate: Certificate, issuer: Certificate, { lists }: Trust): string | undefined {
  if (!isStrong(certificate)) return `a certificate is signed by a weak algorithm, ${certificate.signatureOid}`
  if (!isSignedBy(certificate, issuer.spki)) return 'a certificate has a signature that is not its issuer’s'
  if (isRevoked(certificate, issuer, lists)) return 'a certificate is revoked'
  return undefined
}
