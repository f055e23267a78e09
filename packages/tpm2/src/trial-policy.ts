import { createHash } from 'node:crypto'
import { HASHES, type HashAlgorithm } from './algorithms.ts'
import { HIERARCHIES, type Hierarchy } from './handles.ts'
import { COMMANDS, type CommandName } from './internal/command-table.ts'
import { concat, EMPTY, u8, u32 } from './internal/octets.ts'
import { encodePcrSelection, type PcrSelection } from './pcr-selection.ts'

/** A policy's digest, computed without a TPM. Each step makes a new value; the order of steps matters. */
export interface TrialPolicy {
  /** What goes into `authPolicy` of an object. */
  readonly digest: Uint8Array
  /** TPM2_PolicyPCR: `values` of the selected PCRs, selections in their order, numbers ascending. */
  pcr(selections: readonly PcrSelection[], values: readonly Uint8Array[]): TrialPolicy
  /** TPM2_PolicyAuthValue. */
  authValue(): TrialPolicy
  /** TPM2_PolicyPassword: the same digest as `authValue`. */
  password(): TrialPolicy
  /** TPM2_PolicySecret, of a hierarchy. */
  secret(hierarchy: Hierarchy, policyRef?: Uint8Array): TrialPolicy
  /** TPM2_PolicyCommandCode. */
  commandCode(command: CommandName): TrialPolicy
  /** TPM2_PolicyDuplicationSelect: `objectName` only where the policy is to be for one object. */
  duplicationSelect(newParentName: Uint8Array, objectName?: Uint8Array): TrialPolicy
  /** TPM2_PolicyOR of 2 to 8 digests; what came before no longer counts. */
  or(branches: readonly Uint8Array[]): TrialPolicy
}

/**
 * Starts with the empty policy.
 *
 * @param hash Of the session, and the `nameAlg` of the object.
 * @see TPM 2.0 Part 3 §23 for the digest of each step
 */
export function trialPolicy(hash: HashAlgorithm = 'sha256'): TrialPolicy {
  return at(hash, new Uint8Array(HASHES[hash].size))
}

function at(hash: HashAlgorithm, digest: Uint8Array): TrialPolicy {
  const hashed = (...parts: Uint8Array[]): Uint8Array =>
    new Uint8Array(
      createHash(hash)
        .update(concat(...parts))
        .digest(),
    )
  const extend = (command: CommandName, ...parts: Uint8Array[]): TrialPolicy =>
    at(hash, hashed(digest, u32(COMMANDS[command].code), ...parts))
  return {
    digest,
    pcr: (selections, values) => extend('TPM2_PolicyPCR', encodePcrSelection(selections), hashed(...values)),
    authValue: () => extend('TPM2_PolicyAuthValue'),
    password: () => extend('TPM2_PolicyAuthValue'),
    secret: (hierarchy, policyRef = EMPTY) =>
      at(hash, hashed(extend('TPM2_PolicySecret', u32(HIERARCHIES[hierarchy])).digest, policyRef)),
    commandCode: (command) => extend('TPM2_PolicyCommandCode', u32(COMMANDS[command].code)),
    duplicationSelect: (newParentName, objectName) =>
      extend('TPM2_PolicyDuplicationSelect', objectName ?? EMPTY, newParentName, u8(objectName === undefined ? 0 : 1)),
    or: (branches) => {
      assertBranches(branches)
      return at(hash, hashed(new Uint8Array(HASHES[hash].size), u32(COMMANDS.TPM2_PolicyOR.code), ...branches))
    },
  }
}

/**
 * TPML_DIGEST of TPM2_PolicyOR takes 2 to 8.
 *
 * @throws {RangeError} on another number of branches.
 */
export function assertBranches(branches: readonly Uint8Array[]): void {
  if (branches.length < 2 || branches.length > 8) throw new RangeError('an OR has 2 to 8 branches')
}
