import type { AttestationVerifier } from './attestation-verifier.ts'
import { GOOGLE_ROOT_SHA256 } from './defaults.ts'
import { confidentialSpaceSteps } from './internal/confidential-space.ts'
import { decodeSteps } from './internal/decode.ts'
import { type GoogleBaselineInit, googleBaseline, googleIssuer } from './internal/google-baseline.ts'
import { headerSteps } from './internal/header.ts'
import { pkiSteps } from './internal/pki.ts'
import { audienceStep, issuerStep, nonceStep, timeSteps } from './internal/registered-claims.ts'
import { signatureStep } from './internal/signature.ts'
import { createVerifier } from './internal/verifier.ts'

/** Options of {@link createGooglePkiVerifier}. */
export interface GooglePkiVerifierInit extends GoogleBaselineInit {
  /** SHA-256 of each accepted root certificate's DER, hex, with or without colons. Default: Google's root of 2024. */
  readonly rootSha256?: readonly string[]
}

/**
 * Verifies Confidential Space tokens of type PKI: they carry their certificates, so nothing is fetched. There is no
 * revocation to consult either: leaves have no CRL, and live for 60 days.
 *
 * @throws {TypeError} where an option could not be meant.
 */
export function createGooglePkiVerifier(init: GooglePkiVerifierInit = {}): AttestationVerifier {
  const issuers = [googleIssuer(init)]
  return createVerifier({
    name: 'google-pki',
    issuers,
    clock: init.clock,
    ready: () => true,
    steps: [
      ...decodeSteps,
      ...headerSteps({ algorithms: ['RS256'], required: ['x5c'] }),
      issuerStep(issuers),
      ...pkiSteps(fingerprints(init.rootSha256 ?? [GOOGLE_ROOT_SHA256])),
      signatureStep,
      audienceStep,
      ...timeSteps(),
      nonceStep(({ payload }) => payload.eat_nonce),
      ...confidentialSpaceSteps(googleBaseline(init)),
    ],
  })
}

function fingerprints(list: readonly string[]): readonly string[] {
  const roots = list.map((root) => root.replaceAll(':', '').toLowerCase())
  if (roots.length === 0 || !roots.every((root) => /^[0-9a-f]{64}$/.test(root))) {
    throw new TypeError('"rootSha256" must be SHA-256 fingerprints, hex')
  }
  return roots
}
