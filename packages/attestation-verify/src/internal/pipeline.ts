import { hash, type KeyObject } from 'node:crypto'
import type { AttestationExpectations, CheckOutcome, VerifiedAttestation } from '../attestation-verifier.ts'
import type { AttestationClaims } from '../claims.ts'
import { type AttestationCheck, AttestationError } from '../errors.ts'
import type { JsonObject, JsonValue, StrictJsonError } from '../strict-json.ts'

/**
 * What is known of a token so far. Each step adds its part, and may read what the steps it needs have added; that is why
 * the parts are declared as present.
 */
export interface Draft {
  readonly token: string
  readonly expected: AttestationExpectations
  /** Seconds since the epoch, with fractions. */
  readonly now: number
  readonly signal: AbortSignal | undefined
  /** Positions of the two dots. From `jwt.format`. */
  dots: readonly [number, number]
  /** Decoded octets. From `jwt.encoding`. */
  octets: { readonly header: Buffer; readonly payload: Buffer; readonly signature: Buffer }
  /** From `jwt.duplicate_key`, which parses. */
  parsed: { readonly header: JsonValue | StrictJsonError; readonly payload: JsonValue | StrictJsonError }
  /** From `jwt.payload`. */
  payload: JsonObject
  /** From `jwt.header`. */
  header: JsonObject
  alg: string
  kid: string
  /** From `jwt.key`. */
  key: KeyObject
  issuedAt: number
  expiresAt: number
  nonces: readonly string[]
  claims: AttestationClaims
}

/** One check. Steps are listed in the order in which they run. */
export interface Step {
  readonly check: AttestationCheck
  /** Checks that must have passed for this one to make sense. */
  readonly needs: readonly AttestationCheck[]
  /**
   * @returns what was found, for people; nothing where that goes without saying.
   * @throws {Rejection} where the check fails.
   */
  readonly run: (draft: Draft) => string | undefined | Promise<string | undefined>
}

/** A check failed. The message is for `explain` alone: it may name claim values. */
export class Rejection extends Error {
  override readonly name = 'Rejection'
}

/** Runs the steps up to the first that fails. */
export async function verifyWith(verifier: string, steps: readonly Step[], draft: Draft): Promise<VerifiedAttestation> {
  for (const step of steps) {
    try {
      const pending = step.run(draft)
      if (pending instanceof Promise) await pending
    } catch (cause) {
      if (!(cause instanceof Rejection)) throw cause
      throw new AttestationError('ERR_ATTESTATION_REJECTED', step.check, `the attestation failed ${step.check}`)
    }
  }
  return {
    verifier,
    issuer: draft.payload.iss as string,
    tokenSha256: identity(draft),
    keyId: draft.kid,
    issuedAt: draft.issuedAt,
    expiresAt: draft.expiresAt,
    nonces: draft.nonces,
    claims: draft.claims,
    assertion: draft.payload,
  }
}

/** Two JSON objects with a dot between them can be told apart, so no two tokens share the hash. */
function identity({ octets: { header, payload } }: Draft): string {
  return hash('sha256', Buffer.concat([header, DOT, payload]), 'hex')
}

const DOT = Buffer.from('.')

/** Runs every step whose needs passed. */
export async function explainWith(steps: readonly Step[], draft: Draft): Promise<CheckOutcome[]> {
  const passed = new Set<AttestationCheck>()
  const outcomes: CheckOutcome[] = []
  for (const { check, needs, run } of steps) {
    const missing = needs.find((need) => !passed.has(need))
    if (missing !== undefined) {
      outcomes.push({ check, outcome: 'skipped', detail: `needs ${missing}` })
      continue
    }
    try {
      outcomes.push({ check, outcome: 'pass', detail: (await run(draft)) ?? '' })
      passed.add(check)
    } catch (cause) {
      outcomes.push({ check, outcome: 'fail', detail: failure(cause) })
    }
  }
  return outcomes
}

/** Missing keys fail one check here; anything unforeseen is a fault of ours and goes on. */
function failure(cause: unknown): string {
  if (cause instanceof Rejection || cause instanceof AttestationError) return cause.message
  throw cause
}
