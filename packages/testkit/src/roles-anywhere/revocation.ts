import { type Certificate, parseSigned, pemBlocks, type Signed, serialOf } from './certificate.ts'
import { childrenOf, TAG } from './der.ts'
import { isSignedBy } from './signatures.ts'

/** A certificate revocation list (RFC 5280 §5.1). */
export interface RevocationList extends Signed {
  /** The whole Name, as DER. */
  readonly issuer: Buffer
  /** Serials as in {@link Certificate}. */
  readonly serials: ReadonlySet<string>
}

/** @throws {SyntaxError} on what is not a list; `SyntaxError` too where there is none in the text. */
export function parseRevocationLists(pem: string): RevocationList[] {
  const blocks = pemBlocks(pem, 'X509 CRL')
  if (blocks.length === 0) throw new SyntaxError('"crlPem" has no X509 CRL')
  return blocks.map((der) => {
    const { tbs, ...signed } = parseSigned(der)
    const fields = childrenOf(tbs)
    if (fields[0]?.tag === TAG.integer) fields.shift()
    const [, issuer, , ...rest] = fields
    const revoked = rest.find(({ tag }) => tag === TAG.sequence)
    return {
      ...signed,
      tbs: tbs.raw,
      issuer: issuer!.raw,
      serials: new Set(revoked === undefined ? [] : childrenOf(revoked).map((entry) => serialOf(childrenOf(entry)[0]))),
    }
  })
}

/** Whether the issuer says on one of the lists that it revoked the certificate. A list that the issuer did not sign says nothing. */
export function isRevoked(certificate: Certificate, issuer: Certificate, lists: readonly RevocationList[]): boolean {
  const named = lists.filter((list) => list.issuer.equals(issuer.subject) && list.serials.has(certificate.serialHex))
  return named.some((list) => isSignedBy(list, issuer.spki))
}
