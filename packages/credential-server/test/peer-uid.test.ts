import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { assertPeerUidWorks, createPeerLookup } from '../src/internal/peer-uid.ts'
import { runFixture } from './child.ts'
import { IMDS, startServer } from './helpers.ts'

const NOBODY = 65_534
const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const peer = { address: '127.0.0.1', port: 0x9a6e }
const local = { address: '127.0.0.1', port: 0x97a1 }
const line = (ends: string, uid: number, inode: number) =>
  `   4: ${ends} 01 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`
const OURS = '0100007F:97A1 0100007F:9A6E'
const THEIRS = '0100007F:9A6E 0100007F:97A1'
const MAPPED = '0000000000000000FFFF00000100007F:9A6E 0000000000000000FFFF00000100007F:97A1'
const SIX = '00000000000000000000000001000000:9A6E 00000000000000000000000001000000:97A1'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peer-uid-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function lookup(ipv4: string, ipv6 = HEAD, ends = { peer, local }): Promise<number | undefined> {
  const tables = [join(folder, 'tcp'), join(folder, 'tcp6')] as const
  await writeFile(tables[0], ipv4)
  await writeFile(tables[1], ipv6)
  return await createPeerLookup({ tables })(ends.peer, ends.local)
}

describe('createPeerLookup', () => {
  it('finds the other end of a connection, not ours', async () => {
    expect(await lookup(HEAD + line(OURS, 0, 11) + line(THEIRS, 1000, 12))).toBe(1000)
    expect(await lookup(HEAD + line(OURS, 0, 11))).toBeUndefined()
  })

  it('finds IPv6, and IPv4 through an IPv6 socket', async () => {
    const six = { peer: { ...peer, address: '::1' }, local: { ...local, address: '::1' } }
    expect(await lookup(HEAD, HEAD + line(SIX, 1001, 12), six)).toBe(1001)
    expect(await lookup(HEAD, HEAD + line(MAPPED, 1002, 12))).toBe(1002)
  })

  it('I20 takes nobody from another IPv6 address for who has the same port on ::1', async () => {
    for (const address of ['fd00:1::1', 'fe80::1', '::2']) {
      const six = { peer: { ...peer, address }, local: { ...local, address: '::1' } }
      expect(await lookup(HEAD, HEAD + line(SIX, 1001, 12), six)).toBeUndefined()
    }
  })

  it('I20 trusts no line without a process: the kernel says uid 0 there', async () => {
    expect(await lookup(HEAD + line(THEIRS, 0, 0))).toBeUndefined()
  })

  it('reads a table that is longer than a chunk', async () => {
    const others = Array.from({ length: 5000 }, (_, i) =>
      line(`0100007F:${(i + 1).toString(16).padStart(4, '0').toUpperCase()} 0100007F:97A1`, 7, 9),
    )
    expect(await lookup(HEAD + others.join('') + line(THEIRS, 1003, 12))).toBe(1003)
  })

  it('I13 I20 reads once for all who ask at the same time, and each gets its own answer', async () => {
    const tables = [join(folder, 'tcp'), join(folder, 'tcp6')] as const
    const count = 200
    const ends = Array.from({ length: count }, (_, i) => ({ ...peer, port: 40_000 + i }))
    const lines = ends.map(({ port }, i) => line(`0100007F:${port.toString(16).toUpperCase()} 0100007F:97A1`, i, 12))
    await writeFile(tables[0], HEAD + lines.join('') + line(OURS, 7, 9).repeat(20_000))
    await writeFile(tables[1], HEAD)
    const lookup = createPeerLookup({ tables })
    const timed = async <T>(work: Promise<T>): Promise<[result: T, ms: number]> => {
      const started = performance.now()
      return [await work, performance.now() - started]
    }
    const [, one] = await timed(lookup(ends[0]!, local))
    const [uids, all] = await timed(Promise.all(ends.map((it) => lookup(it, local))))
    expect(uids).toEqual(ends.map((_, i) => i))
    expect(all).toBeLessThan((one * count) / 4)
  })

  it('I20 answers from a reading that began after it was asked, and goes on after one that failed', async () => {
    const tables = [join(folder, 'tcp'), join(folder, 'tcp6')] as const
    await writeFile(tables[1], HEAD)
    const lookup = createPeerLookup({ tables })
    await writeFile(tables[0], HEAD + line(THEIRS, 1000, 12))
    expect(await lookup(peer, local)).toBe(1000)
    await writeFile(tables[0], HEAD + line(THEIRS, 1001, 12))
    expect(await lookup(peer, local)).toBe(1001)
    const moving = join(folder, 'moving') // a folder opens, and can't be read
    await mkdir(moving)
    const unlucky = createPeerLookup({ tables: [moving, tables[1]] })
    await expect(unlucky(peer, local)).rejects.toThrow('EISDIR')
    await rm(moving, { recursive: true })
    await writeFile(moving, HEAD + line(THEIRS, 1002, 12))
    expect(await unlucky(peer, local)).toBe(1002)
  })

  it('looks again where a line was passed over', async () => {
    await writeFile(join(folder, 'without'), HEAD)
    await writeFile(join(folder, 'with'), HEAD + line(THEIRS, 1000, 12))
    let readings = 0
    const tables = {
      *[Symbol.iterator]() {
        yield join(folder, readings++ === 0 ? 'without' : 'with')
      },
    } as unknown as [string, string]
    expect(await createPeerLookup({ tables })(peer, local)).toBe(1000)
    expect(readings).toBe(2)
  })

  it('I20 finds a socket behind all that may lie in TIME_WAIT, and stops after 64 MiB', async () => {
    const after = (others: number) => HEAD + line(OURS, 7, 9).repeat(others) + line(THEIRS, 1003, 12)
    expect(await lookup(after(262_144))).toBe(1003)
    expect(await lookup(after(700_000))).toBeUndefined()
  }, 30_000)

  it('says nothing where there is no table, or half a line', async () => {
    expect(await createPeerLookup({ tables: ['/nonexistent/tcp', '/nonexistent/tcp6'] })(peer, local)).toBeUndefined()
    expect(await lookup(HEAD + line(THEIRS, 1000, 12).slice(0, 60))).toBeUndefined()
    expect(await lookup(`${HEAD}   4: ${THEIRS} 01 x\n`)).toBeUndefined()
  })

  it('says beforehand whether it can', async () => {
    await assertPeerUidWorks()
    await expect(assertPeerUidWorks({ tables: ['/nonexistent/tcp', '/nonexistent/tcp6'] })).rejects.toThrow('ENOENT')
  })

  it.each(['127.0.0.1', '::1'])('knows us on a real connection to %s', async (host) => {
    const server = createServer().listen(0, host)
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, host)
    const [socket] = await once(server, 'connection')
    const ends = [socket.remoteAddress, socket.remotePort, socket.localAddress, socket.localPort]
    expect(await createPeerLookup()({ address: ends[0], port: ends[1] }, { address: ends[2], port: ends[3] })).toBe(
      process.getuid!(),
    )
    client.destroy()
    socket.destroy()
    server.close()
  })
})

describe('I20 a process of another user', () => {
  // Only root can start one.
  const canSwitch = process.getuid!() === 0

  it('gets 403, and only events say whose it was', async () => {
    const target = await startServer({ sameUserOnly: true })
    const args = [`http://127.0.0.1:${target.port}${IMDS}`, 'metadata', 'true']
    const own = await runFixture('fetch-as.mjs', args)
    expect(own).toMatchObject({ status: 200, uid: process.getuid!() })
    if (canSwitch) {
      expect(await runFixture('fetch-as.mjs', args, { uid: NOBODY })).toEqual({
        status: 403,
        body: '{"error":"access_denied","error_description":"this user is not served"}',
        uid: NOBODY,
      })
      expect(target.events).toEqual([{ type: 'refused', reason: 'peer', status: 403, uid: NOBODY }])
    }
    await target.server.close()
  })

  it('is answered where users are not looked at, which the IMDS form needs a loud word for', async () => {
    const target = await startServer({ sameUserOnly: false, dangerouslyAllowAnyUser: true })
    const args = [`http://127.0.0.1:${target.port}${IMDS}`, 'metadata', 'true']
    expect(await runFixture('fetch-as.mjs', args, canSwitch ? { uid: NOBODY } : {})).toMatchObject({ status: 200 })
    await target.server.close()
  })

  it('is answered where it is listed', async () => {
    const uid = canSwitch ? NOBODY : process.getuid!()
    const target = await startServer({ allowedUids: [uid] })
    const args = [`http://127.0.0.1:${target.port}${IMDS}`, 'metadata', 'true']
    expect(await runFixture('fetch-as.mjs', args, canSwitch ? { uid } : {})).toMatchObject({ status: 200, uid })
    await target.server.close()
  })
})
