import { checkKnownAnswer, type HmacBackend, knownAnswer } from '@hardbound/sigv4-hmac/backend'
import type { Tpm } from '@hardbound/tpm2'
import { findKey, type KeySource } from './key.ts'
import { assertTriesLeft } from './lockout.ts'
import { planFor } from './policy.ts'
import { protect } from './protection.ts'
import type { Settings } from './settings.ts'
import { computeTag, type KeyUse } from './tag.ts'

/**
 * The key, looked at whenever the connection to the TPM is a new one: what it is, how it is authorised, and whether it still answers as it
 * did when it was enrolled.
 *
 * @param expected Known answer. Default: what it answers first.
 * @returns What makes it ready for use, within one `exclusively`.
 */
export function enrolledKey(
  source: KeySource,
  settings: Settings,
  expected: string | undefined,
): (tpm: Tpm) => Promise<KeyUse> {
  let answer = expected
  let known: (Pick<KeyUse, 'key' | 'plan'> & { connection: number }) | undefined
  return async (tpm) => {
    const protection = await protect(tpm, settings.encryption)
    if (known?.connection === tpm.connection) return { ...known, settings, protection }
    const key = await findKey(tpm, source, settings, protection)
    const plan = await planFor(tpm, key.public, settings, protection)
    const use = { key, plan, settings, protection }
    if (plan.kind === 'password' || plan.authValue) await assertTriesLeft(tpm, key.public)
    const backend = asBackend(tpm, use)
    if (answer === undefined) answer = await knownAnswer(backend)
    else await checkKnownAnswer(backend, answer)
    known = { key, plan, connection: tpm.connection }
    return use
  }
}

/** One key, within one `exclusively`. */
export const asBackend = (tpm: Tpm, use: KeyUse): HmacBackend => ({
  name: 'tpm',
  hmacSha256: (message) => computeTag(tpm, use, message),
  close: () => Promise.resolve(),
})
