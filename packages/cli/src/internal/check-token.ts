import {
  type AttestationVerifier,
  type CheckOutcome,
  createAzureAttestationVerifier,
  createGooglePkiVerifier,
  createGoogleVerifier,
  createIntelVerifier,
  createStaticKeySet,
  decodeUnverified,
  type JsonObject,
  type KeySource,
} from '@hardbound/attestation-verify'
import { CliError, usageError } from '../cli-error.ts'
import { readInput } from '../input.ts'
import { issuerKind } from './issuer-kind.ts'

/** What a token is checked against, as given by flags. */
export interface TokenCheckOptions {
  /** File of a JWK set: the issuer's keys. */
  readonly jwks?: string
  /** The token brings its certificates, up to Google's pinned root. */
  readonly pki?: boolean
  readonly audience?: string
  /** Milliseconds since the epoch. Default: now. */
  readonly at?: number
}

/** What came of it. */
export interface TokenCheck {
  readonly outcomes: readonly CheckOutcome[]
  /** Whether every check was made and passed, those of signature and audience among them. */
  readonly verified: boolean
  /** What nobody has checked, for people; `undefined` where nothing was left out. */
  readonly warning: string | undefined
}

/**
 * Runs a verifier's checks. Those for which a flag is missing are skipped, and say which flag.
 *
 * @throws {CliError} where the token can't be checked at all.
 */
export async function checkToken(token: string, options: TokenCheckOptions): Promise<TokenCheck> {
  const { jwks, pki = false, audience } = options
  if (jwks !== undefined && pki) throw usageError('--jwks and --pki cannot be given together')
  const keys = jwks === undefined ? NO_KEYS : await keysOf(jwks)
  const verifier = verifierOf(token, keys, pki, () => options.at ?? Date.now())
  const left: Partial<Record<CheckOutcome['check'], string>> = {
    ...(keys === NO_KEYS && !pki ? { 'jwt.key': 'no keys: give --jwks or --pki' } : {}),
    ...(audience === undefined ? { 'jwt.aud': 'give --audience' } : {}),
    ...(verifier.name === 'azure' ? { 'claim.policy_hash': "for a broker's configuration to say" } : {}),
  }
  const made = await explain(verifier, token, audience ?? 'nobody.invalid')
  const outcomes = made.map((it): CheckOutcome => {
    const detail = left[it.check]
    return detail === undefined || it.outcome === 'skipped' ? it : { check: it.check, outcome: 'skipped', detail }
  })
  return { outcomes, verified: outcomes.every(({ outcome }) => outcome === 'pass'), warning: warningOf(outcomes) }
}

function warningOf(outcomes: readonly CheckOutcome[]): string | undefined {
  const passed = (name: string): boolean => outcomes.some(({ check, outcome }) => check === name && outcome === 'pass')
  if (!passed('jwt.sig')) return 'NOT VERIFIED: no valid signature was seen, anyone can have written this token'
  return passed('jwt.aud') ? undefined : 'NOT VERIFIED: the audience was not checked, or is another one'
}

const NO_KEYS: KeySource = { getKey: () => Promise.resolve(undefined), ready: () => true }

async function keysOf(file: string): Promise<KeySource> {
  const text = await readInput(file, '--jwks')
  try {
    return createStaticKeySet(text)
  } catch (cause) {
    throw new CliError(`--jwks: ${file} is not a JWK set with a usable key`, { cause })
  }
}

async function explain(verifier: AttestationVerifier, token: string, audience: string) {
  try {
    return await verifier.explain(token, { audience })
  } catch (cause) {
    if (cause instanceof TypeError) throw usageError('--audience must be your own, of 1 to 512 octets')
    throw cause
  }
}

/** The verifier that a broker would choose. */
function verifierOf(token: string, keys: KeySource, pki: boolean, clock: () => number): AttestationVerifier {
  if (pki) return createGooglePkiVerifier({ clock })
  const kind = issuerKind(payloadOf(token))
  switch (kind.type) {
    case 'google':
      return createGoogleVerifier({ keys, clock })
    case 'intel':
      return createIntelVerifier({ keys, clock, region: kind.region })
    case 'azure':
      return createAzureAttestationVerifier({
        instances: [{ issuer: kind.issuer, keys, policyHashes: [kind.policyHash] }],
        clock,
      })
  }
}

function payloadOf(token: string): JsonObject {
  try {
    return decodeUnverified(token).payload
  } catch {
    return {} // any verifier will say why
  }
}
