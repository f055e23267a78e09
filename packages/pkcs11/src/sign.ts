import type { Handle, Mechanism } from './cryptoki.ts'
import { fromNative } from './internal/native-error.ts'
import { now } from './internal/now.ts'
import type { Pkcs11Session } from './session.ts'

/**
 * C_SignInit and C_Sign. Where the token has been fast so far it is waited for in place, and otherwise on another thread.
 *
 * @param data Looked at only before this returns.
 * @param maxOctets Most that the mechanism gives.
 * @param options.alwaysAuthenticate The key wants the PIN for each signature. Default: false.
 * @throws {Pkcs11Error}
 */
export function sign(
  session: Pkcs11Session,
  mechanism: Mechanism,
  key: Handle,
  data: Uint8Array,
  maxOctets: number,
  options?: { readonly alwaysAuthenticate?: boolean },
): Uint8Array | Promise<Uint8Array> {
  const { cryptoki, handle, pace } = session
  const out = Buffer.alloc(maxOctets)
  const begin = (): void => {
    try {
      cryptoki.C_SignInit(handle, mechanism, key)
    } catch (error) {
      throw fromNative('C_SignInit', error)
    }
  }
  if (options?.alwaysAuthenticate === true) session.loginFor(begin)
  else begin()
  const start = now()
  if (!pace.inPlace) return elsewhere()
  try {
    const tag = cryptoki.C_Sign(handle, data as Buffer, out)
    pace.took(now() - start)
    return tag
  } catch (error) {
    throw fromNative('C_Sign', error)
  }

  async function elsewhere(): Promise<Uint8Array> {
    const input = Buffer.from(data) // the addon reads it on its thread, and does not keep it from being collected
    try {
      const tag = await cryptoki.C_SignAsync(handle, input, out)
      pace.took(now() - start)
      return tag
    } catch (error) {
      throw fromNative('C_Sign', error)
    } finally {
      input.fill(0)
    }
  }
}
