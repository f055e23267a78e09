import { performance } from 'node:perf_hooks'
import type { TLSSocket } from 'node:tls'
import type { Channel, ChannelRegistry } from '@hardbound/ekm-tls'
import type { Peer, Protocol } from '../types.ts'
import { peerOf } from './peer.ts'

/** What the server keeps of one connection, from its handshake to its end. */
export interface Connection {
  readonly channels: Readonly<Record<Protocol, Channel | undefined>>
  readonly peer: Peer
  /** Milliseconds on a clock that is never set back. */
  readonly establishedAt: number
  /** Octets that had arrived when the handshake ended: a client that sent no more has asked for nothing. */
  readonly octetsOfHandshake: number
  /** Tokens already used on it, hex SHA-256. */
  readonly usedTokens: Set<string>
  /** Requests that arrived, whether or not their turn has come. */
  requests: number
  /** A refusal was sent: nothing that comes after it is processed. */
  refused: boolean
  /** Gives up the grant under way, if there is one. */
  cancel: () => void
  /** Settles when the request before has been answered: pipelined requests wait for their turn. */
  turn: Promise<void>
}

/** The state of a connection whose handshake just ended; `undefined` when it must not be served. */
export function openConnection(
  socket: TLSSocket,
  registry: ChannelRegistry,
  refusedKeys: ReadonlySet<string>,
): Connection | undefined {
  const [v2, goV1] = registry.get(socket) ?? []
  const peer = v2 === undefined ? undefined : peerOf(socket, v2, refusedKeys)
  if (peer === undefined) return undefined
  return {
    channels: { v2, 'go-v1': goV1 },
    peer,
    establishedAt: performance.now(),
    octetsOfHandshake: socket.bytesRead,
    usedTokens: new Set(),
    requests: 0,
    refused: false,
    cancel: () => {},
    turn: Promise.resolve(),
  }
}

/** Waits for the turn of a request; `done` lets the next one start. */
export async function takeTurn(connection: Connection): Promise<() => void> {
  const before = connection.turn
  let done = (): void => {}
  connection.turn = new Promise((resolve) => {
    done = resolve
  })
  await before
  return done
}
