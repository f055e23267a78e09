import { createPrimary } from '../commands/create-primary.ts'
import { flushContext } from '../commands/flush-context.ts'
import { policySecret } from '../commands/policy-secret.ts'
import { readPublic } from '../commands/read-public.ts'
import type { Authorization, ObjectHandle, Tpm } from '../tpm.ts'
import { assertTriesLeft } from './lockout.ts'
import type { Protection } from './protection.ts'
import type { Settings } from './settings.ts'

/** A parent that is there, and how to show that we may use it: anew for each command. */
export interface Parent extends ObjectHandle {
  authorize(): Promise<Authorization>
}

/** TPM_RH_OWNER, NULL, ENDORSEMENT: Part 2 §7.4 */
const HIERARCHIES = { 1073741825: 'owner', 1073741831: 'null', 1073741835: 'endorsement' } as const

/** Which parent a key has. */
export interface ParentKind {
  /** Persistent handle, or a hierarchy. */
  readonly handle: number
  readonly rsaParent?: boolean
}

/** Has the parent there while `work` runs, and no longer: a TPM has room for three objects. */
export async function withParent<T>(
  tpm: Tpm,
  { handle, rsaParent = false }: ParentKind,
  { parentAuth, ekParent }: Settings,
  protection: Protection,
  work: (parent: Parent) => Promise<T>,
): Promise<T> {
  const { sessions } = protection
  const shown = () => protection.authorize(parentAuth)
  if (ekParent !== undefined) {
    const primary = await createPrimary(tpm, {
      hierarchy: 'endorsement',
      template: `ek-${ekParent}`,
      auth: await shown(),
      sessions,
    })
    const authorize = async () => {
      // What the EK template's policy asks for: TCG EK Credential Profile 2.6, §B.6.2.
      const session = await protection.startPolicy()
      await policySecret(tpm, { session, hierarchy: 'endorsement', auth: await shown() })
      return session
    }
    return release(tpm, primary, work({ ...primary, authorize }))
  }
  const hierarchy = HIERARCHIES[handle as keyof typeof HIERARCHIES]
  if (hierarchy === undefined) {
    const parent = await readPublic(tpm, { handle })
    if (parentAuth.length > 0) await assertTriesLeft(tpm, parent.public)
    return work({ ...parent, authorize: shown })
  }
  const template = rsaParent ? 'h1-rsa' : 'h2-ecc'
  const primary = await createPrimary(tpm, { hierarchy, template, auth: await shown(), sessions })
  const password = new Uint8Array()
  return release(tpm, primary, work({ ...primary, authorize: () => Promise.resolve({ password }) }))
}

/** Makes room after the work; where that failed, `exclusively` does it. */
async function release<T>(tpm: Tpm, primary: ObjectHandle, work: Promise<T>): Promise<T> {
  const result = await work
  await flushContext(tpm, primary)
  return result
}
