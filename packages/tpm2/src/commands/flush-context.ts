import { HANDLE_TYPE, handleType } from '../handles.ts'
import { EMPTY } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, ObjectHandle, Session, Tpm } from '../tpm.ts'

/**
 * Takes a transient object or a session out of the TPM. What was made on a connection that has gone is gone already.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}.
 * @throws {TypeError} on a handle of something else.
 * @see TPM 2.0 Part 3 §28.4, TPM2_FlushContext
 */
export async function flushContext(tpm: Tpm, what: ObjectHandle | Session, options?: CallOptions): Promise<void> {
  const type = handleType(what.handle)
  if (type !== HANDLE_TYPE.transient && type !== HANDLE_TYPE.hmacSession && type !== HANDLE_TYPE.policySession) {
    throw new TypeError('only transient objects and sessions can be flushed')
  }
  if (what.connection !== undefined && what.connection !== tpm.connection) return
  const { parameters } = await tpm.execute(
    { command: 'TPM2_FlushContext', handles: [{ handle: what.handle, name: EMPTY }], parameters: EMPTY },
    options,
  )
  new Reader(parameters, 'TPM2_FlushContext').end()
}
