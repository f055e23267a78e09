import type { Socket } from 'node:net'
import type { PeerLookup } from './peer-uid.ts'
import { Refusal } from './refusal.ts'

export interface Admission {
  /** Whether a connection is one that is served, from what the kernel says of it. @returns Why not. */
  readonly admit: (socket: Socket) => Promise<Refusal | undefined>
  /** The user that was found. */
  readonly userOf: (socket: Socket) => number | undefined
}

export interface AdmissionInit {
  /** Users that are answered; nothing where all are. */
  uids: ReadonlySet<number> | undefined
  lookup: PeerLookup
}

/** Decides about connections before anything of them is read. */
export function createAdmission({ uids, lookup }: AdmissionInit): Admission {
  const users = new WeakMap<Socket, number>()
  const admit = async (socket: Socket): Promise<Refusal | undefined> => {
    const { remoteAddress, remotePort, localAddress, localPort } = socket
    if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined || !localPort) {
      return uids === undefined ? undefined : notServed() // a UNIX socket has no addresses; of TCP it is gone already
    }
    if (!isLoopback(remoteAddress)) return notServed() // where `route_localnet` lets neighbours in
    if (uids === undefined) return undefined
    const peer = { address: remoteAddress, port: remotePort }
    try {
      const uid = await lookup(peer, { address: localAddress, port: localPort })
      if (uid !== undefined) users.set(socket, uid)
      return uid !== undefined && uids.has(uid) ? undefined : notServed()
    } catch {
      return new Refusal(500, 'internal', 'the server failed')
    }
  }
  return { admit, userOf: (socket) => users.get(socket) }
}

function notServed(): Refusal {
  return new Refusal(403, 'peer', 'this user is not served')
}

/** Other addresses of this machine are none: the kernel lists their sockets apart, and no SDK uses them. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}
