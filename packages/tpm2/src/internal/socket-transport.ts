import type { NetConnectOpts } from 'node:net'
import type { TpmTransport } from '../transport.ts'
import { announcedSize, HEADER_OCTETS } from './frame.ts'
import { type OctetStream, openStream, type Within } from './octet-stream.ts'
import { concat } from './octets.ts'

/** swtpm: commands and responses, one after the other, with nothing around them. */
export async function openSocket(to: NetConnectOpts, description: string, within: Within): Promise<TpmTransport> {
  const stream = await openStream(to, description, within)
  return {
    description,
    hasResourceManager: false,
    get isClosed() {
      return stream.isClosed
    },
    transmit: (command, { signal }) => transmit(stream, command, signal),
    close: () => Promise.resolve(stream.close()),
  }
}

async function transmit(stream: OctetStream, command: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  stream.write(command)
  const header = await stream.read(HEADER_OCTETS, signal)
  const rest = await stream.read(announcedSize(header) - HEADER_OCTETS, signal)
  stream.assertNothingLeft()
  return concat(header, rest)
}
