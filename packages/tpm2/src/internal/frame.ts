import { Tpm2Error } from '../errors.ts'
import type { CommandName, CommandShape } from './command-table.ts'
import { concat, u16, u32 } from './octets.ts'
import { Reader } from './reader.ts'

/** TPM_ST_NO_SESSIONS and TPM_ST_SESSIONS (Part 2 §6.9). */
const TAG_NO_SESSIONS = 0x8001
const TAG_SESSIONS = 0x8002
/** TPM_ST_RSP_COMMAND: how a TPM answers what it took for a command of TPM 1.2. */
const TAG_RSP_COMMAND = 0x00c4

/** Header of commands and responses: tag, size, code. */
export const HEADER_OCTETS = 10

/** No TPM sends more: a page (PC Client Platform TPM Profile, TPM_PT_MAX_RESPONSE_SIZE). */
export const MAX_RESPONSE_OCTETS = 4096

/** A command as it is sent (Part 1 §18.3). Without sessions the authorisation area must be `undefined`. */
export function encodeFrame(
  code: number,
  handles: readonly number[],
  authArea: Uint8Array | undefined,
  parameters: Uint8Array,
): Uint8Array {
  const auth = authArea === undefined ? [] : [u32(authArea.length), authArea]
  const body = [...handles.map(u32), ...auth, parameters]
  const size = HEADER_OCTETS + body.reduce((sum, part) => sum + part.length, 0)
  return concat(u16(authArea === undefined ? TAG_NO_SESSIONS : TAG_SESSIONS), u32(size), u32(code), ...body)
}

/** A response, taken apart; nothing in it is checked beyond its layout. */
export interface ResponseFrame {
  readonly handle: number
  readonly parameters: Uint8Array
  readonly sessions: readonly { nonce: Uint8Array; attributes: number; hmac: Uint8Array }[]
}

/**
 * Takes a response apart (Part 1 §18.4).
 *
 * @returns The TPM_RC alone where the command failed.
 * @throws {Tpm2Error} `ERR_TPM_RESPONSE` on anything that is not laid out exactly so.
 */
export function parseFrame(
  bytes: Uint8Array,
  command: CommandName,
  shape: CommandShape,
  sessionCount: number,
): ResponseFrame | { readonly rc: number } {
  const reader = new Reader(bytes, command)
  const tag = reader.u16()
  const size = reader.u32()
  if (size !== bytes.length) throw reader.malformed(`${bytes.length} octets, ${size} announced`)
  const rc = reader.u32()
  if (rc !== 0) {
    if (tag !== TAG_NO_SESSIONS && tag !== TAG_RSP_COMMAND) throw reader.malformed('an error with the wrong tag')
    reader.end()
    return { rc }
  }
  if (tag !== (sessionCount === 0 ? TAG_NO_SESSIONS : TAG_SESSIONS)) throw reader.malformed('the wrong tag')
  const handle = shape.makes === undefined ? 0 : reader.u32()
  if (sessionCount === 0) return { handle, parameters: reader.bytes(reader.remaining), sessions: [] }
  const parameters = reader.bytes(reader.u32())
  const sessions = Array.from({ length: sessionCount }, () => ({
    nonce: reader.sized(64),
    attributes: reader.u8(),
    hmac: reader.sized(64),
  }))
  reader.end()
  return { handle, parameters, sessions }
}

/**
 * How long a response is, once its header is there.
 *
 * @throws {Tpm2Error} `ERR_TPM_RESPONSE` on a size that no response has.
 */
export function announcedSize(header: Uint8Array): number {
  const size = new DataView(header.buffer, header.byteOffset, HEADER_OCTETS).getUint32(2)
  if (size < HEADER_OCTETS || size > MAX_RESPONSE_OCTETS) {
    throw new Tpm2Error('ERR_TPM_RESPONSE', `a response of ${size} octets was announced`)
  }
  return size
}
