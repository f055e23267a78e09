import { type Tpm, Tpm2Error } from '@hardbound/tpm2'
import { flushContext, hmacSequence } from '@hardbound/tpm2/commands'
import { type Key, loadKey } from './key.ts'
import { authorizeKey, type Plan } from './policy.ts'
import type { Protection } from './protection.ts'
import type { Settings } from './settings.ts'
import { using } from './using.ts'

/** All that one HMAC takes. */
export interface KeyUse {
  readonly key: Key
  readonly plan: Plan
  readonly settings: Settings
  readonly protection: Protection
}

/** TPM_RC_PCR_CHANGED, Part 2 §6.6: some PCR changed between policy and use, maybe none of ours. */
const PCR_CHANGED = 0x128

/** One HMAC. Leaves nothing in the TPM. */
export async function computeTag(tpm: Tpm, use: KeyUse, message: Uint8Array): Promise<Uint8Array> {
  const { settings, protection } = use
  const key = await loadKey(tpm, use.key, settings, protection)
  const compute = async () =>
    using(tpm, await authorizeKey(tpm, use.plan, settings, protection), (auth) =>
      hmacSequence(tpm, { key, auth, message, sessions: protection.sessions }),
    )
  const tag = await compute().catch((error: unknown) => {
    if (error instanceof Tpm2Error && error.rc === PCR_CHANGED) return compute()
    throw error
  })
  if ('file' in use.key.at) await flushContext(tpm, key)
  return tag
}
