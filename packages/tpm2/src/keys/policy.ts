import { createPrimary } from '../commands/create-primary.ts'
import { flushContext } from '../commands/flush-context.ts'
import { pcrRead } from '../commands/pcr-read.ts'
import { policyAuthValue } from '../commands/policy-auth-value.ts'
import { policyOr } from '../commands/policy-or.ts'
import { policyPcr } from '../commands/policy-pcr.ts'
import { Tpm2Error } from '../errors.ts'
import type { PcrSelection } from '../pcr-selection.ts'
import type { PublicArea } from '../public-area.ts'
import type { Authorization, Tpm } from '../tpm.ts'
import { type TrialPolicy, trialPolicy } from '../trial-policy.ts'
import type { Protection } from './protection.ts'
import type { Settings } from './settings.ts'

/** How a key is authorised. */
export type Plan =
  | { readonly kind: 'password' }
  | {
      readonly kind: 'policy'
      readonly pcrs: readonly PcrSelection[] | undefined
      readonly authValue: boolean
      /** Digests of the branches where the policy is a choice between this one and PolicyDuplicationSelect. */
      readonly or: readonly Uint8Array[] | undefined
    }

/**
 * Finds out in which of the known ways the key's policy is made, by computing each from the PCRs as they are now.
 *
 * @throws {Tpm2Error} `ERR_TPM_POLICY_FAIL` where it is none of them.
 */
export async function planFor(tpm: Tpm, area: PublicArea, settings: Settings, protection: Protection): Promise<Plan> {
  const { pcrs, keyAuth, ekParent } = settings
  if (pcrs === undefined && area.attributes.includes('userWithAuth')) return { kind: 'password' }
  const start = pcrs ? await pcrPolicy(tpm, pcrs, protection) : trialPolicy()
  const newParent = ekParent && (await endorsementName(tpm, settings, protection))
  // A password beside PCRs may be part of the policy, or not be asked for at all.
  const ways = pcrs === undefined ? [true] : keyAuth.length > 0 ? [true, false] : [false]
  for (const authValue of ways) {
    const branch = (authValue ? start.authValue() : start).digest
    const plan = { kind: 'policy', pcrs, authValue } as const
    if (same(branch, area.authPolicy)) return { ...plan, or: undefined }
    if (newParent === undefined) continue
    // Transferred keys: this branch to use it, the other one had it duplicated to here.
    const or = [branch, trialPolicy().duplicationSelect(newParent).digest]
    if (same(trialPolicy().or(or).digest, area.authPolicy)) return { ...plan, or }
  }
  const made = pcrs === undefined ? 'a password' : 'these PCRs as they are now'
  throw new Tpm2Error('ERR_TPM_POLICY_FAIL', `the policy of the key is not made of ${made}`)
}

/**
 * The policy that these PCRs keep the values they have now.
 *
 * @param protection Its session shows that it is the TPM who says so, not somebody in between who'd choose the policy.
 * @throws {Tpm2Error} `ERR_TPM_POLICY_FAIL` where the TPM does not have them all.
 */
export async function pcrPolicy(
  tpm: Tpm,
  pcrs: readonly PcrSelection[],
  { sessions }: Protection,
): Promise<TrialPolicy> {
  const values = await pcrRead(tpm, pcrs, { sessions })
  if (values.length !== pcrs.flatMap((bank) => bank.pcrs).length) {
    throw new Tpm2Error('ERR_TPM_POLICY_FAIL', 'it does not have all of these PCRs')
  }
  return trialPolicy().pcr(
    pcrs,
    values.map(({ value }) => value),
  )
}

/** Runs the policy, or shows the password. */
export async function authorizeKey(
  tpm: Tpm,
  plan: Plan,
  { keyAuth }: Settings,
  protection: Protection,
): Promise<Authorization> {
  if (plan.kind === 'password') return protection.authorize(keyAuth)
  const session = await protection.startPolicy()
  if (plan.pcrs) await policyPcr(tpm, { session, selections: plan.pcrs })
  if (plan.authValue) await policyAuthValue(tpm, session)
  if (plan.or) await policyOr(tpm, { session, branches: plan.or }).catch(branchMissed)
  return plan.authValue ? { session, authValue: keyAuth } : session
}

/** The TPM only says that the digest is not in the list (TPM_RC_VALUE). */
function branchMissed(cause: unknown): never {
  if (!(cause instanceof Tpm2Error) || cause.code !== 'ERR_TPM_RC') throw cause
  throw new Tpm2Error('ERR_TPM_POLICY_FAIL', 'a PCR of the policy has changed', { cause })
}

async function endorsementName(tpm: Tpm, { ekParent, parentAuth }: Settings, protection: Protection) {
  const auth = await protection.authorize(parentAuth)
  const { sessions } = protection
  const key = await createPrimary(tpm, {
    hierarchy: 'endorsement',
    template: `ek-${ekParent ?? 'rsa'}`,
    auth,
    sessions,
  })
  await flushContext(tpm, key)
  return key.name
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.from(a).equals(b)
