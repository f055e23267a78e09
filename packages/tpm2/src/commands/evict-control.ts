import { HANDLE_TYPE, HIERARCHIES, handleType } from '../handles.ts'
import { u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { Authorization, CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/** What to keep, and where. */
export interface EvictControlInit {
  /** Default: `owner`. */
  readonly hierarchy?: 'owner' | 'platform'
  /** Of the hierarchy. */
  readonly auth?: Authorization
  /** A transient object, to make it persistent; or the persistent object, to remove it. */
  readonly object: ObjectHandle
  /** `0x81000000` to `0x817fffff` for the owner. */
  readonly persistentHandle: number
  readonly sessions?: readonly Session[]
}

/**
 * Makes an object persistent, so that it survives resets; or removes a persistent one.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @throws {RangeError} on a handle that is not a persistent one.
 * @see TPM 2.0 Part 3 §28.5, TPM2_EvictControl
 */
export async function evictControl(tpm: Tpm, init: EvictControlInit, options?: CallOptions): Promise<void> {
  if (handleType(init.persistentHandle) !== HANDLE_TYPE.persistent) {
    throw new RangeError('"persistentHandle" must be 0x81000000 to 0x81ffffff')
  }
  const { parameters } = await tpm.execute(
    {
      command: 'TPM2_EvictControl',
      handles: [HIERARCHIES[init.hierarchy ?? 'owner'], init.object],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: u32(init.persistentHandle),
    },
    options,
  )
  new Reader(parameters, 'TPM2_EvictControl').end()
}
