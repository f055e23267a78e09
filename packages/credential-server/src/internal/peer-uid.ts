import { type FileHandle, open } from 'node:fs/promises'

/** One end of a TCP connection, as Node tells it. */
export interface Endpoint {
  address: string
  port: number
}

/** About 400 000 sockets: more than TIME_WAIT leaves of any user's (tcp_max_tw_buckets is 262 144 at most, unless it was set). */
const MAX_OCTETS = 64 * 1024 * 1024
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
 * Tells whose socket is at the other end of a loopback connection.
 *
 * @param peer The client's end.
 * @param local Our end.
 * @returns The user id, or nothing where the kernel doesn't list the socket any more or says that no process has it.
 */
export type PeerLookup = (peer: Endpoint, local: Endpoint) => Promise<number | undefined>

/**
 * Reads the kernel's tables (Linux, proc_net_tcp), so the answer is the user that made the socket, in this process's user
 * namespace. One reading at a time, for all who ask by its start: it takes the kernel 40 ms among 10 000 sockets, and another
 * user's flood of connections must not queue before ours.
 */
export function createPeerLookup({ tables = TABLES }: PeerUidOptions = {}): PeerLookup {
  let wanted = new Set<string>()
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<ReadonlyMap<string, number>> | undefined

  const read = (keys: readonly string[]): Promise<ReadonlyMap<string, number>> => {
    for (const key of keys) wanted.add(key)
    next ??= last.then(() => {
      const these = wanted
      wanted = new Set()
      next = undefined
      return findUids(tables, these)
    })
    last = next.catch(() => {}) // whoever waits for it hears of it
    return next
  }

  return async (peer, local) => {
    if (![peer, local].every((it) => it.address === '::1' || it.address.includes('.'))) return undefined
    const keys = [...(peer.address.includes('.') ? [socketKey(peer, local, false)] : []), socketKey(peer, local, true)]
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const uids = await read(keys)
      for (const key of keys) if (uids.has(key)) return uids.get(key)
    }
    return undefined
  }
}

/** @throws if the tables can't be read. */
export async function assertPeerUidWorks({ tables = TABLES }: PeerUidOptions = {}): Promise<void> {
  await (await open(tables[0])).close()
}

/** A client may speak IPv4 through an IPv6 socket (Java does), and is listed there then, as `::ffff:127.0.0.1`. */
function socketKey(peer: Endpoint, local: Endpoint, asIpv6: boolean): string {
  return [peer, local].map((end) => endKey(end, asIpv6)).join(' ')
}

function endKey({ address, port }: Endpoint, asIpv6: boolean): string {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const octets = address.includes('.')
    ? [
        ...(asIpv6 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255] : []),
        ...address.split(':').at(-1)!.split('.').map(Number),
      ]
    : LOOPBACK_IPV6
  return `${kernelHex(octets)}:${hexPort}`
}

/** The only IPv6 address that is served, and looked up: whoever comes from another one must not be taken for who has this. */
const LOOPBACK_IPV6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]

/** The kernel prints addresses as 32-bit numbers of the machine: little-endian where the machine is. */
function kernelHex(octets: readonly number[]): string {
  const words = new Uint32Array(Uint8Array.from(octets).buffer)
  return Array.from(words, (it) => it.toString(16).toUpperCase().padStart(8, '0')).join('')
}

async function findUids(tables: readonly string[], wanted: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>()
  for (const table of tables) await findIn(table, wanted, found)
  return found
}

async function findIn(path: string, wanted: ReadonlySet<string>, found: Map<string, number>): Promise<void> {
  let file: FileHandle
  try {
    file = await open(path)
  } catch {
    return // no IPv6 in this kernel
  }
  try {
    const chunk = Buffer.alloc(CHUNK_OCTETS)
    let rest = ''
    for (let total = 0; total < MAX_OCTETS; ) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_OCTETS, null)
      if (bytesRead === 0) return
      total += bytesRead
      const text = rest + chunk.toString('latin1', 0, bytesRead)
      const end = text.lastIndexOf('\n') + 1
      readLines(text.slice(0, end), wanted, found)
      rest = text.slice(end)
    }
  } finally {
    await file.close()
  }
}

/** `sl: local_address rem_address st queues timer retrnsmt uid timeout inode …` */
const LINE = /: ([0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4}) (.+)/g

/** Inode 0: no process has the socket, and uid is 0. */
function readLines(text: string, wanted: ReadonlySet<string>, found: Map<string, number>): void {
  for (const [, key = '', line = ''] of text.matchAll(LINE)) {
    if (!wanted.has(key)) continue
    const [, , , , uid, , inode] = line.split(/ +/)
    if (uid === undefined || inode === undefined || inode === '0') continue
    if (/^\d{1,10}$/.test(uid)) found.set(key, Number(uid))
  }
}
