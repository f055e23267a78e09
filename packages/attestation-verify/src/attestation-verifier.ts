import type { AttestationClaims } from './claims.ts'
import type { AttestationCheck } from './errors.ts'
import type { JsonObject } from './strict-json.ts'

/** What the relying party agreed with the workload. */
export interface AttestationExpectations {
  /** The one audience the token must name, exactly. */
  readonly audience: string
}

/** An attestation token that was verified, and what it says. */
export interface VerifiedAttestation {
  /** {@link AttestationVerifier.name} of the verifier that accepted it: what a policy's `issuer` names. */
  readonly verifier: string
  /** The exact `iss`. */
  readonly issuer: string
  /** SHA-256 of the decoded signing input, hex: the identity of the token (its text is not one). */
  readonly tokenSha256: string
  /** `kid` of the key that signed, or the leaf certificate's thumbprint. */
  readonly keyId: string
  /** `iat` and `exp`, seconds since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
  /** Nonces that the hardware evidence commits to, in the token's order. Empty when there are none. */
  readonly nonces: readonly string[]
  /** Typed and normalised: absent, null and empty are the same; one `eat_nonce` is a list of one. */
  readonly claims: AttestationClaims
  /** The payload as it was signed, strictly decoded; integers beyond 2^53 are strings. This is CEL's `assertion`. */
  readonly assertion: JsonObject
}

/** One check with its outcome, for `explain`. */
export interface CheckOutcome {
  readonly check: AttestationCheck
  /** `skipped`: an earlier check failed, and this one needs it. */
  readonly outcome: 'pass' | 'fail' | 'skipped'
  /** For people. It may name claim values; it never holds the token, a signature or the workload's environment. */
  readonly detail: string
}

/** Turns an attestation token into claims that can be relied on. One implementation per kind of issuer. */
export interface AttestationVerifier {
  /** Short label for audit and policy: `google`, `google-pki`, `intel`, `azure`. */
  readonly name: string
  /** The exact `iss` values this verifier answers for. */
  readonly issuers: readonly string[]
  /**
   * @throws {AttestationError} `ERR_ATTESTATION_REJECTED` with the first check that failed, in the order of
   * {@link AttestationVerifier.explain}; `ERR_ATTESTATION_KEYS_UNAVAILABLE` when the issuer's keys can't be had.
   */
  verify(
    token: string,
    expected: AttestationExpectations,
    options?: { signal?: AbortSignal },
  ): Promise<VerifiedAttestation>
  /** Every check with its outcome, in order; carries on after a failure where it can. */
  explain(token: string, expected: AttestationExpectations, options?: { signal?: AbortSignal }): Promise<CheckOutcome[]>
  /** Whether keys are at hand, so that `verify` can answer now. */
  ready(): boolean
}
