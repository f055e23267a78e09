import { flushContext } from '../commands/flush-context.ts'
import { getCapability } from '../commands/get-capability.ts'
import type { Tpm } from '../tpm.ts'
import { EMPTY } from './octets.ts'

/** TPM_HC: first handles of transient objects, of sessions in the TPM, and of sessions that were saved outside. */
const STALE_FROM = [0x80000000, 0x02000000, 0x03000000] as const

/** More are left for the next time: no TPM has so many slots, and one that lists them is not to keep us busy. */
const MOST_IN_A_LIST = 64

/**
 * Flushes objects and sessions that nobody has any more, because the client that made them has died. Only for a TPM that
 * is ours alone: without a resource manager between, we can't tell another client's handles from stale ones.
 *
 * @param live Ours, to keep.
 * @param timeoutMs After that it stops, whatever is left.
 * @returns How many were flushed.
 * @throws {Tpm2Error} as `getCapability`; flushing that fails is passed over.
 */
export async function flushStale(tpm: Tpm, live: ReadonlySet<number>, timeoutMs: number): Promise<number> {
  const end = performance.now() + timeoutMs
  let flushed = 0
  for (const from of STALE_FROM) {
    for (const { id } of await getCapability(tpm, { capability: 'handles', from, max: MOST_IN_A_LIST })) {
      if (live.has(id)) continue
      if (performance.now() > end) return flushed
      await flushContext(tpm, { handle: id, name: EMPTY }).then(
        () => flushed++,
        () => {},
      )
    }
  }
  return flushed
}
