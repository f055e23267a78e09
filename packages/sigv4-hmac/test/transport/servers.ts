import type { Server as HttpServer } from 'node:http'
import { get, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket, Server as TcpServer } from 'node:net'

type Server = HttpServer | HttpsServer | TcpServer
const open: { server: Server; sockets: Set<Socket> }[] = []

/** On a port of its own, until {@link closeServers}. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.on('tlsClientError', () => {})
  open.push({ server, sockets })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

export async function closeServers(): Promise<void> {
  for (const { server, sockets } of open.splice(0)) {
    await new Promise((resolve) => {
      server.close(resolve)
      for (const socket of sockets) socket.destroy()
    })
  }
}

/** The environment that Node itself reads: Jest gives tests a copy. */
const realEnv = (get.constructor as FunctionConstructor)('return process.env')() as NodeJS.ProcessEnv

export async function withEnv(values: Record<string, string>, work: () => Promise<void>): Promise<void> {
  Object.assign(realEnv, values)
  Object.assign(process.env, values)
  try {
    await work()
  } finally {
    for (const name of Object.keys(values)) {
      delete realEnv[name]
      delete process.env[name]
    }
  }
}
