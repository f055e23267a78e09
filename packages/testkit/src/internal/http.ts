import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, ListenOptions, Server, Socket } from 'node:net'

/** Takes over the answer to one request. */
export type Fault = (req: IncomingMessage, res: ServerResponse) => void

/** A server that listens. */
export interface Listening {
  /** 0 for a Unix socket. */
  readonly port: number
  /** Stops, and ends every connection, also one amid its TLS handshake. A second call does nothing. */
  readonly close: () => Promise<void>
}

/** Listens, by default on a free port of 127.0.0.1. */
export function listen(server: Server, where: ListenOptions = { host: '127.0.0.1', port: 0 }): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      const address = server.address() as AddressInfo | string
      resolve({ port: typeof address === 'string' ? 0 : address.port, close })
    })
  })
}

/** Reads a whole request body. @returns `undefined` when it is longer than `maxOctets`; then end the connection. */
export async function readBody(req: IncomingMessage, maxOctets: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxOctets) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
