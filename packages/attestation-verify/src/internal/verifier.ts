import type { AttestationExpectations, AttestationVerifier } from '../attestation-verifier.ts'
import { systemClock } from '../defaults.ts'
import { type Draft, explainWith, type Step, verifyWith } from './pipeline.ts'

interface VerifierInit {
  readonly name: string
  readonly issuers: readonly string[]
  readonly steps: readonly Step[]
  /** Milliseconds since the epoch. */
  readonly clock: (() => number) | undefined
  readonly ready: () => boolean
}

/** A verifier is a name and a list of steps. */
export function createVerifier({
  name,
  issuers,
  steps,
  clock = systemClock,
  ready,
}: VerifierInit): AttestationVerifier {
  const draft = (token: string, expected: AttestationExpectations, signal: AbortSignal | undefined): Draft => {
    requireExpectation(expected)
    signal?.throwIfAborted()
    return { token, expected, now: clock() / 1000, signal } as Draft
  }
  return {
    name,
    issuers: Object.freeze([...issuers]),
    verify: async (token, expected, options) => verifyWith(name, steps, draft(token, expected, options?.signal)),
    explain: async (token, expected, options) => explainWith(steps, draft(token, expected, options?.signal)),
    ready,
  }
}

/** Audiences of tokens that every workload has lying about: as our own, they would accept those. */
const STS = ['https://sts.googleapis.com', 'https://sts.google.com']

function requireExpectation({ audience }: AttestationExpectations): void {
  if (typeof audience !== 'string' || audience === '' || Buffer.byteLength(audience) > 512) {
    throw new TypeError('"audience" must be a string of 1 to 512 octets')
  }
  if (STS.includes(audience)) throw new TypeError('"audience" must be your own, not that of Google STS')
}
