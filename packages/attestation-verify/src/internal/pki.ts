import { hash, type KeyObject, X509Certificate } from 'node:crypto'
import { signedWithSha256Rsa } from './certificate-der.ts'
import { isStringList } from './json.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'
import { strongKey } from './signature.ts'

type Chain = readonly [leaf: X509Certificate, intermediate: X509Certificate, root: X509Certificate]

/** The certificate chain of a PKI token, up to a pinned root. Node builds no paths: each link is checked by hand. */
export function pkiSteps(roots: readonly string[]): readonly Step[] {
  const chains = new WeakMap<Draft, Chain>()
  const chainOf = (draft: Draft): Chain => chains.get(draft) as Chain
  return [
    {
      check: 'pki.chain',
      needs: ['jwt.header'],
      run(draft) {
        const chain = parseChain(draft)
        requireLinks(chain)
        chains.set(draft, chain)
        return undefined
      },
    },
    {
      check: 'pki.root',
      needs: ['pki.chain'],
      run(draft) {
        const root = hash('sha256', chainOf(draft)[2].raw, 'hex')
        if (!roots.includes(root)) throw new Rejection(`unknown root ${root}`)
        return root
      },
    },
    {
      check: 'pki.validity',
      needs: ['pki.chain', 'jwt.payload'],
      run(draft) {
        const { iat } = draft.payload
        for (const certificate of chainOf(draft)) {
          if (!covers(certificate, draft.now)) throw new Rejection('a certificate is not valid now')
          if (!covers(certificate, iat)) throw new Rejection('a certificate was not valid when the token was issued')
        }
        return undefined
      },
    },
    {
      check: 'jwt.key',
      needs: ['pki.chain', 'jwt.kid'],
      run(draft) {
        const key = strongKey(chainOf(draft)[0].publicKey)
        if (draft.kid !== thumbprint(key)) throw new Rejection('"kid" does not name the leaf key')
        draft.key = key
        return undefined
      },
    },
  ]
}

function parseChain({ header: { x5c } }: Draft): Chain {
  if (!isStringList(x5c) || x5c.length !== 3) throw new Rejection('not three certificates')
  return x5c.map(parseCertificate) as unknown as Chain
}

/** RFC 7515 §4.1.6: base64, not base64url, of the DER and nothing after it. */
function parseCertificate(base64: string): X509Certificate {
  const der = Buffer.from(base64, 'base64')
  try {
    const certificate = new X509Certificate(der)
    if (der.toString('base64') === base64 && certificate.raw.equals(der)) return certificate
  } catch {
    // The same rejection as for other text.
  }
  throw new Rejection('not the base64 of a certificate')
}

function requireLinks([leaf, intermediate, root]: Chain): void {
  if (leaf.ca || !intermediate.ca || !root.ca) throw new Rejection('a certificate in the wrong place')
  requireLink(leaf, intermediate)
  requireLink(intermediate, root)
}

function requireLink(subject: X509Certificate, issuer: X509Certificate): void {
  strongKey(issuer.publicKey)
  if (!signedWithSha256Rsa(subject.raw)) throw new Rejection('a certificate is not signed with sha256WithRSA')
  if (!subject.checkIssued(issuer) || !subject.verify(issuer.publicKey)) {
    throw new Rejection('a certificate was not issued by the next one')
  }
}

/** Whether `time`, in seconds since the epoch, lies in the certificate's validity; what is no time does not. */
function covers(certificate: X509Certificate, time: unknown): boolean {
  const at = typeof time === 'number' ? time * 1000 : Number.NaN
  return Date.parse(certificate.validFrom) <= at && at <= Date.parse(certificate.validTo)
}

/** RFC 7638 §3: SHA-256 over the required members of the JWK, in this order. */
function thumbprint(key: KeyObject): string {
  const { e, kty, n } = key.export({ format: 'jwk' })
  return hash('sha256', JSON.stringify({ e, kty, n }), 'base64url')
}
