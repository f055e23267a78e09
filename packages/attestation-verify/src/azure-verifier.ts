import type { AttestationVerifier } from './attestation-verifier.ts'
import { audience, azureClaimSteps, nonce } from './internal/azure-claims.ts'
import { decodeSteps } from './internal/decode.ts'
import { headerSteps } from './internal/header.ts'
import type { Step } from './internal/pipeline.ts'
import { Rejection } from './internal/pipeline.ts'
import { issuerStep, nonceStep, requireAudience, timeSteps } from './internal/registered-claims.ts'
import { keyStep, signatureStep } from './internal/signature.ts'
import { createVerifier } from './internal/verifier.ts'
import type { KeySource } from './key-source.ts'

/** One attestation provider. Anyone can run one, with any policy: name yours. */
export interface AzureAttestationInstance {
  /** `https://<name>.<region>.attest.azure.net`, exactly as in `iss`. */
  readonly issuer: string
  /** Its keys: `createRemoteKeySet({ url: issuer + '/certs' })`. */
  readonly keys: KeySource
  /** Accepted `x-ms-policy-hash` values: base64url SHA-256 of the policy as it was set. At least one. */
  readonly policyHashes: readonly string[]
}

/** Options of {@link createAzureAttestationVerifier}. */
export interface AzureAttestationVerifierInit {
  /** At least one. */
  readonly instances: readonly AzureAttestationInstance[]
  /** Accepted `attester_tcb_status` values of TDX quotes. Default: `UpToDate`. */
  readonly acceptedTcbStatuses?: readonly string[]
  /** Cap of `exp - iat`, seconds. Default: 28800, which is what Azure's samples have. The age cap of 300 s stays. */
  readonly maxLifetimeSeconds?: number
  /** Milliseconds since the epoch. Default: the machine's clock. Clocks may be 30 s apart. */
  readonly clock?: () => number
}

const ISSUER = /^https:\/\/[a-z0-9-]+(\.[a-z0-9-]+)*\.attest\.azure\.net$/
const POLICY_HASH = /^[A-Za-z0-9_-]{43}$/

/**
 * Verifies tokens of Microsoft Azure Attestation of types `sevsnpvm`, `tdxvm` and `azurevm`. They have no `aud`: the
 * workload puts `audience` and `nonce` into the runtime data (or the client payload) that the report commits to.
 *
 * @throws {TypeError} where an option could not be meant; {RangeError} for a lifetime that is not positive.
 */
export function createAzureAttestationVerifier(init: AzureAttestationVerifierInit): AttestationVerifier {
  const { acceptedTcbStatuses = ['UpToDate'], maxLifetimeSeconds = 28_800 } = init
  const instances = instancesByIssuer(init.instances)
  const issuers = [...instances.keys()]
  if (acceptedTcbStatuses.length === 0) throw new TypeError('"acceptedTcbStatuses" must not be empty')
  if (!(maxLifetimeSeconds > 0)) throw new RangeError('"maxLifetimeSeconds" must be positive')
  const instanceOf = (issuer: unknown): AzureAttestationInstance => instances.get(issuer as string)!
  return createVerifier({
    name: 'azure',
    issuers,
    clock: init.clock,
    // Every instance is asked, as asking starts the fetch of what is missing.
    ready: () => init.instances.map(({ keys }) => keys.ready()).every(Boolean),
    steps: [
      ...decodeSteps,
      // `jku` and `x5c` only repeat what the key set says; neither is read.
      ...headerSteps({ algorithms: ['RS256'], ignored: ['jku', 'x5c'] }),
      issuerStep(issuers),
      keyStep((issuer) => instanceOf(issuer).keys),
      signatureStep,
      {
        check: 'jwt.aud',
        needs: ['jwt.payload'],
        run: ({ payload, expected }) => requireAudience(audience(payload), expected.audience),
      },
      ...timeSteps(maxLifetimeSeconds),
      nonceStep(({ payload }) => nonce(payload)),
      policyHashStep((issuer) => instanceOf(issuer).policyHashes),
      ...azureClaimSteps(acceptedTcbStatuses),
    ],
  })
}

function policyHashStep(hashesOf: (issuer: unknown) => readonly string[]): Step {
  return {
    check: 'claim.policy_hash',
    needs: ['jwt.iss'],
    run({ payload }) {
      const policyHash = payload['x-ms-policy-hash']
      if (typeof policyHash !== 'string' || !hashesOf(payload.iss).includes(policyHash)) {
        throw new Rejection('not a policy of this instance')
      }
      return policyHash
    },
  }
}

function instancesByIssuer(list: readonly AzureAttestationInstance[]): Map<string, AzureAttestationInstance> {
  if (list.length === 0) throw new TypeError('"instances" must not be empty')
  for (const { issuer, policyHashes } of list) {
    if (!ISSUER.test(issuer)) throw new TypeError('"issuer" must be https://<name>.<region>.attest.azure.net')
    if (policyHashes.length === 0 || !policyHashes.every((pin) => POLICY_HASH.test(pin))) {
      throw new TypeError('"policyHashes" must be base64url SHA-256 values, at least one')
    }
  }
  const instances = new Map(list.map((instance) => [instance.issuer, instance]))
  if (instances.size < list.length) throw new TypeError('"instances" must have different issuers')
  return instances
}
