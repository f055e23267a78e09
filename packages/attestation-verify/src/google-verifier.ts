import type { AttestationVerifier } from './attestation-verifier.ts'
import { confidentialSpaceSteps } from './internal/confidential-space.ts'
import { decodeSteps } from './internal/decode.ts'
import { type GoogleBaselineInit, googleBaseline, googleIssuer } from './internal/google-baseline.ts'
import { headerSteps } from './internal/header.ts'
import { audienceStep, issuerStep, nonceStep, timeSteps } from './internal/registered-claims.ts'
import { keyStep, signatureStep } from './internal/signature.ts'
import { createVerifier } from './internal/verifier.ts'
import type { KeySource } from './key-source.ts'

/** Options of {@link createGoogleVerifier}. */
export interface GoogleVerifierInit extends GoogleBaselineInit {
  /** Google's keys: `createRemoteKeySet({ url: GOOGLE_JWKS_URL })`, or a set from a file. */
  readonly keys: KeySource
}

/**
 * Verifies Confidential Space tokens of type OIDC, as Google Cloud Attestation signs them.
 *
 * @throws {TypeError} where an option could not be meant.
 */
export function createGoogleVerifier(init: GoogleVerifierInit): AttestationVerifier {
  const { keys } = init
  const issuers = [googleIssuer(init)]
  return createVerifier({
    name: 'google',
    issuers,
    clock: init.clock,
    ready: () => keys.ready(),
    steps: [
      ...decodeSteps,
      ...headerSteps({ algorithms: ['RS256'] }),
      issuerStep(issuers),
      keyStep(() => keys),
      signatureStep,
      audienceStep,
      ...timeSteps(),
      nonceStep(({ payload }) => payload.eat_nonce),
      ...confidentialSpaceSteps(googleBaseline(init)),
    ],
  })
}
