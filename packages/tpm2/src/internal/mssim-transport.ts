import { Tpm2Error } from '../errors.ts'
import type { TpmTransport } from '../transport.ts'
import { withinTime } from './deadline.ts'
import { HEADER_OCTETS, MAX_RESPONSE_OCTETS } from './frame.ts'
import { type OctetStream, openStream, type Within } from './octet-stream.ts'
import { concat, u8, u32 } from './octets.ts'

/** Commands of the simulator (TCG reference code, TpmTcpProtocol.h). */
const POWER_ON = 1
const SEND_COMMAND = 8
const NV_ON = 11
const SESSION_END = 20

/**
 * The simulator of the TCG reference code. It is powered on here, which does nothing to one that is on already; starting
 * it is `openTpm`'s work.
 */
export async function openMssim(
  { host, port }: { host: string; port: number },
  description: string,
  within: Within,
): Promise<TpmTransport> {
  const platform = await openStream({ host, port: port + 1 }, description, within)
  try {
    await withinTime(within.timeoutMs, description, async (signal) => {
      for (const command of [POWER_ON, NV_ON]) {
        platform.write(u32(command))
        await acknowledged(platform, signal)
      }
    })
  } finally {
    platform.close(u32(SESSION_END))
  }
  const stream = await openStream({ host, port }, description, within)
  return {
    description,
    hasResourceManager: false,
    get isClosed() {
      return stream.isClosed
    },
    transmit: (command, { signal }) => transmit(stream, command, signal),
    close: () => Promise.resolve(stream.close(u32(SESSION_END))),
  }
}

async function transmit(stream: OctetStream, command: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  stream.write(concat(u32(SEND_COMMAND), u8(0), u32(command.length), command))
  const size = asNumber(await stream.read(4, signal))
  if (size < HEADER_OCTETS || size > MAX_RESPONSE_OCTETS) {
    throw new Tpm2Error('ERR_TPM_RESPONSE', `a response of ${size} octets was announced`)
  }
  const response = await stream.read(size, signal)
  await acknowledged(stream, signal)
  stream.assertNothingLeft()
  return response
}

/** Every command of the simulator ends with a zero. */
async function acknowledged(stream: OctetStream, signal: AbortSignal): Promise<void> {
  if (asNumber(await stream.read(4, signal)) !== 0) {
    throw new Tpm2Error('ERR_TPM_RESPONSE', 'the simulator did not do what it was told')
  }
}

function asNumber(octets: Uint8Array): number {
  return new DataView(octets.buffer, octets.byteOffset, 4).getUint32(0)
}
