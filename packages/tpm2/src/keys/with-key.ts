import { flushContext } from '../commands/flush-context.ts'
import { Tpm2Error } from '../errors.ts'
import type { Authorization, ObjectHandle, Session, Tpm } from '../tpm.ts'
import { type Key, loadKey } from './key.ts'
import { authorizeKey, type Plan } from './policy.ts'
import type { Protection } from './protection.ts'
import type { Settings } from './settings.ts'
import { using } from './using.ts'

/** All that one use of a key takes, within one `exclusively`. */
export interface KeyUse {
  readonly key: Key
  readonly plan: Plan
  readonly settings: Settings
  readonly protection: Protection
}

/** What a command with the key is to be given. */
export interface ReadyKey {
  readonly key: ObjectHandle
  /** For one command. */
  readonly auth: Authorization
  /** Those that encrypt; empty where nothing is. */
  readonly sessions: readonly Session[]
}

/** TPM_RC_PCR_CHANGED, Part 2 §6.6: some PCR changed between policy and use, maybe none of ours. */
const PCR_CHANGED = 0x128

/** Has the key loaded and authorised for one command. Leaves nothing in the TPM. */
export async function withKey<T>(tpm: Tpm, use: KeyUse, command: (ready: ReadyKey) => Promise<T>): Promise<T> {
  const { plan, settings, protection } = use
  const key = await loadKey(tpm, use.key, settings, protection)
  const run = async () =>
    using(tpm, await authorizeKey(tpm, plan, settings, protection), (auth) =>
      command({ key, auth, sessions: protection.sessions }),
    )
  const result = await run().catch((error: unknown) => {
    if (error instanceof Tpm2Error && error.rc === PCR_CHANGED) return run()
    throw error
  })
  if ('file' in use.key.at) await flushContext(tpm, key)
  return result
}
