import { type FileHandle, open } from 'node:fs/promises'

/** One end of a TCP connection, as Node tells it. */
export interface Endpoint {
  address: string
  port: number
}

/** About 100 000 sockets. */
const MAX_OCTETS = 16 * 1024 * 1024
const CHUNK_OCTETS = 64 * 1024
/** `/proc/net` is the network namespace of the thread group's leader, where the server's socket is too. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'] as const
/** A table changes while it is read, and a line can be passed over. */
const TRIES = 3

export interface PeerUidOptions {
  /** Files that look like `/proc/net/tcp` and `/proc/net/tcp6`. */
  tables?: readonly [ipv4: string, ipv6: string]
}

/**
 * Whose socket is at the other end of a loopback connection? Reads the kernel's tables (Linux, proc_net_tcp), so the answer
 * is the user that made the socket, in this process's user namespace.
 *
 * @param peer The client's end.
 * @param local Our end.
 * @returns The user id, or nothing where the kernel doesn't list the socket any more or says that no process has it.
 */
export async function peerUid(
  peer: Endpoint,
  local: Endpoint,
  options: PeerUidOptions = {},
): Promise<number | undefined> {
  const [ipv4, ipv6] = options.tables ?? TABLES
  for (let attempt = 0; attempt < TRIES; attempt++) {
    for (const table of peer.address.includes('.') ? [ipv4, ipv6] : [ipv6]) {
      const uid = await findUid(table, ` ${socketKey(peer, table === ipv6)} ${socketKey(local, table === ipv6)} `)
      if (uid !== undefined) return uid
    }
  }
  return undefined
}

/** @throws if the tables can't be read. */
export async function assertPeerUidWorks({ tables = TABLES }: PeerUidOptions = {}): Promise<void> {
  await (await open(tables[0])).close()
}

/** A client may speak IPv4 through an IPv6 socket (Java does), and is listed there then, as `::ffff:127.0.0.1`. */
function socketKey({ address, port }: Endpoint, asIpv6: boolean): string {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const octets = address.includes('.')
    ? [
        ...(asIpv6 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255] : []),
        ...address.split(':').at(-1)!.split('.').map(Number),
      ]
    : LOOPBACK_IPV6
  return `${kernelHex(octets)}:${hexPort}`
}

/** The only IPv6 address that is served. */
const LOOPBACK_IPV6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]

/** The kernel prints addresses as 32-bit numbers of the machine: little-endian where the machine is. */
function kernelHex(octets: readonly number[]): string {
  const words = new Uint32Array(Uint8Array.from(octets).buffer)
  return Array.from(words, (it) => it.toString(16).toUpperCase().padStart(8, '0')).join('')
}

async function findUid(path: string, key: string): Promise<number | undefined> {
  let file: FileHandle
  try {
    file = await open(path)
  } catch {
    return undefined // no IPv6 in this kernel
  }
  try {
    const chunk = Buffer.alloc(CHUNK_OCTETS)
    let rest = ''
    for (let total = 0; total < MAX_OCTETS; ) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_OCTETS, null)
      if (bytesRead === 0) return undefined
      total += bytesRead
      const text = rest + chunk.toString('latin1', 0, bytesRead)
      const end = text.lastIndexOf('\n') + 1
      const uid = uidOfLine(text.slice(0, end), key)
      if (uid !== undefined) return uid
      rest = text.slice(end)
    }
    return undefined
  } finally {
    await file.close()
  }
}

/** `sl local_address rem_address st queues timer retrnsmt uid timeout inode …`. Inode 0: no process has the socket, and uid is 0. */
function uidOfLine(text: string, key: string): number | undefined {
  const at = text.indexOf(key)
  if (at === -1) return undefined
  const [, , , , , , uid, , inode] = text.slice(at + 1, text.indexOf('\n', at)).split(/ +/)
  return uid !== undefined && /^\d{1,10}$/.test(uid) && inode !== undefined && inode !== '0' ? Number(uid) : undefined
}
