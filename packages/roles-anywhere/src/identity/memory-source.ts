import type { X509IdentitySource } from '../types.ts'
import { closedError, untilAborted } from './closed.ts'
import type { Loaded } from './file-source.ts'
import type { Named } from './make-identity.ts'

const MAX_OCTETS = 1_048_576

/**
 * Makes a source of an identity that is in memory, and never changes.
 *
 * @param load Called until it succeeds once: who is asked for a password may do better next time.
 * @param end `forget` is called once it succeeded, and on close; `stopAsking` on close, before that waits for what is under way.
 */
export function memorySource(
  name: string,
  load: () => Promise<Loaded>,
  { forget, stopAsking }: { forget: () => void; stopAsking: () => void },
): X509IdentitySource {
  let flight: Promise<Loaded> | undefined
  let closed = false
  async function once(): Promise<Loaded> {
    const loaded = await load()
    forget()
    return loaded
  }
  return {
    name,
    async current({ signal } = {}) {
      if (closed) throw closedError()
      const { identity } = await untilAborted(() => {
        flight ??= once().catch((error: unknown) => {
          flight = undefined
          throw error
        })
        return flight
      }, signal)
      if (closed) throw closedError()
      return identity
    },
    async close() {
      closed = true
      stopAsking()
      const loaded = await flight?.catch(() => undefined)
      await loaded?.wipe()
      forget()
    },
  }
}

/**
 * Copies what a caller gave, so that it can be wiped.
 *
 * @throws {TypeError} or {RangeError} where it is neither text nor octets, empty, or too much.
 */
export function copied(option: string, value: unknown): Named<Buffer> {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw new TypeError(`"${option}" must be text or octets`)
  }
  if (value.length === 0 || value.length > MAX_OCTETS) {
    throw new RangeError(`"${option}" must have 1 to ${MAX_OCTETS} octets, got ${value.length}`)
  }
  return { from: `"${option}"`, value: Buffer.from(value) }
}
