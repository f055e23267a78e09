import type { AttestationVerifier, CheckOutcome } from './attestation-verifier.ts'
import { decodeUnverified } from './decode-unverified.ts'
import { AttestationError } from './errors.ts'

/**
 * The `iss` of a token that nobody has verified: good for choosing a verifier, and for nothing else.
 *
 * @throws {AttestationError} `ERR_ATTESTATION_REJECTED` where the token can't be decoded, or `iss` is not a string.
 */
export function peekIssuer(token: string): string {
  const { iss } = decodeUnverified(token).payload
  if (typeof iss !== 'string') throw unknownIssuer()
  return iss
}

/**
 * Several verifiers as one. A token goes to the verifier that answers for its `iss`; of Google's two, `google-pki` gets
 * those with an `x5c` header. That verifier alone decides: a refusal is final.
 *
 * @throws {TypeError} where two verifiers would answer for the same tokens.
 */
export function createAttestationVerifiers(list: readonly AttestationVerifier[]): AttestationVerifier {
  const routes = new Map<string, AttestationVerifier>()
  for (const verifier of list) {
    for (const issuer of verifier.issuers) {
      const route = routeOf(issuer, verifier.name === PKI)
      if (routes.has(route)) throw new TypeError(`two verifiers for the tokens of ${issuer}`)
      routes.set(route, verifier)
    }
  }

  function choose(token: string): AttestationVerifier {
    const { header, payload } = decodeUnverified(token)
    if (typeof payload.iss !== 'string') throw unknownIssuer()
    const own = routes.get(routeOf(payload.iss, Object.hasOwn(header, 'x5c')))
    // A verifier that is alone for an issuer gets the other kind as well, to say what is wrong with it.
    const other = routes.get(routeOf(payload.iss, !Object.hasOwn(header, 'x5c')))
    const chosen = own ?? other
    if (chosen === undefined) throw unknownIssuer()
    return chosen
  }

  return {
    name: 'any',
    issuers: [...new Set(list.flatMap(({ issuers }) => issuers))],
    verify: async (token, expected, options) => choose(token).verify(token, expected, options),
    async explain(token, expected, options) {
      try {
        return await choose(token).explain(token, expected, options)
      } catch (error) {
        return [outcomeOf(error)]
      }
    },
    // Every one is asked, as asking starts the fetch of missing keys.
    ready: () => list.map((verifier) => verifier.ready()).every(Boolean),
  }
}

const PKI = 'google-pki'

const routeOf = (issuer: string, pki: boolean): string => `${pki ? 'pki' : 'oidc'} ${issuer}`

const unknownIssuer = (): AttestationError =>
  new AttestationError('ERR_ATTESTATION_REJECTED', 'jwt.iss', 'the attestation failed jwt.iss')

function outcomeOf(error: unknown): CheckOutcome {
  if (!(error instanceof AttestationError) || error.check === undefined) throw error
  return { check: error.check, outcome: 'fail', detail: 'no verifier could be chosen' }
}
