import { HASHES } from '../algorithms.ts'
import { HIERARCHIES } from '../handles.ts'
import { concat, EMPTY, sized, u16, u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, ObjectHandle, Tpm } from '../tpm.ts'
import { tpmProperty } from './get-capability.ts'
import { type HmacInit, hmac, readTag } from './hmac.ts'

/** Every TPM for a PC takes at least this much in one command (PC Client Platform TPM Profile §4.6). */
const LEAST_INPUT_BUFFER = 1024

/**
 * HMAC of a message of any length: in one command where it fits, else piece by piece, alone with the TPM.
 *
 * @returns The whole tag; the caller's own.
 * @throws {Tpm2Error} as {@link hmac}.
 * @see TPM 2.0 Part 3 §17.2 TPM2_HMAC_Start, §17.5 TPM2_SequenceUpdate, §17.6 TPM2_SequenceComplete
 */
export async function hmacSequence(tpm: Tpm, init: HmacInit, options?: CallOptions): Promise<Uint8Array> {
  if (init.message.length <= LEAST_INPUT_BUFFER) return hmac(tpm, init, options)
  return tpm.exclusively(async (alone) => {
    const most = await tpmProperty(alone, 'inputBuffer', options)
    if (init.message.length <= most) return hmac(alone, init, options)
    const sequence = await start(alone, init, options)
    let at = 0
    for (; init.message.length - at > most; at += most) {
      await update(alone, sequence, init, init.message.subarray(at, at + most), options)
    }
    return complete(alone, sequence, init, init.message.subarray(at), options)
  }, options)
}

async function start(tpm: Tpm, init: HmacInit, options?: CallOptions): Promise<ObjectHandle> {
  const { handle, parameters, connection } = await tpm.execute(
    {
      command: 'TPM2_HMAC_Start',
      handles: [init.key],
      auths: [init.auth],
      sessions: init.sessions,
      parameters: concat(sized(EMPTY), u16(HASHES[init.hash ?? 'sha256'].id)),
    },
    options,
  )
  new Reader(parameters, 'TPM2_HMAC_Start').end()
  return { handle, name: EMPTY, connection }
}

async function update(
  tpm: Tpm,
  sequence: ObjectHandle,
  { sessions }: HmacInit,
  piece: Uint8Array,
  options?: CallOptions,
): Promise<void> {
  const { parameters } = await tpm.execute(
    { command: 'TPM2_SequenceUpdate', handles: [sequence], sessions, parameters: sized(piece) },
    options,
  )
  new Reader(parameters, 'TPM2_SequenceUpdate').end()
}

async function complete(
  tpm: Tpm,
  sequence: ObjectHandle,
  { sessions, hash = 'sha256' }: HmacInit,
  rest: Uint8Array,
  options?: CallOptions,
): Promise<Uint8Array> {
  const parameters = concat(sized(rest), u32(HIERARCHIES.null))
  const response = await tpm.execute(
    { command: 'TPM2_SequenceComplete', handles: [sequence], sessions, parameters },
    options,
  )
  const reader = new Reader(response.parameters, 'TPM2_SequenceComplete')
  const tag = readTag(reader, hash)
  reader.u16() // TPMT_TK_HASHCHECK, which is empty for an HMAC
  reader.u32()
  reader.sized(64)
  reader.end()
  response.parameters.fill(0)
  return tag
}
