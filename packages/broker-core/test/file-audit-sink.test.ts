import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import {
  type AuditFile,
  type AuditFileSystem,
  createFileAuditSink,
  type FileAuditSinkInit,
} from '../src/file-audit-sink.ts'
import { nodeAuditFileSystem } from '../src/internal/audit-file.ts'
import type { AuditRecord, AuditSink } from '../src/types.ts'
import { verifyAuditFile } from '../src/verify-audit-file.ts'

const deny = (requestId: string): AuditRecord => ({ event: 'deny', requestId })
const unavailable = (reason: string) => ({ code: 'audit_unavailable', reason })

let folder: string
let path: string
let sinks: AuditSink[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'))
  path = join(folder, 'audit.jsonl')
  sinks = []
})
afterEach(async () => {
  await Promise.all(sinks.map((sink) => sink.close()))
  rmSync(folder, { recursive: true })
})

async function open(init: Partial<FileAuditSinkInit> = {}): Promise<AuditSink> {
  const sink = await createFileAuditSink({ path, ...init })
  sinks.push(sink)
  return sink
}
const records = (file = path) =>
  readFileSync(file, 'latin1')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
const ids = (file = path) => records(file).map(({ requestId, event }) => requestId ?? event)

/** The real file system, but for what `faults` puts in front of a file's verbs. */
function faulty(faults: Partial<AuditFile>): AuditFileSystem & { opened: number } {
  const real = nodeAuditFileSystem(0o600)
  const files = {
    opened: 0,
    stat: real.stat,
    open: async (name: string) => {
      files.opened++
      const file = await real.open(name)
      return new Proxy(file, {
        get: (target, verb: keyof AuditFile) =>
          faults[verb] === undefined ? target[verb] : (faults[verb] as (this: AuditFile) => unknown).bind(target),
      })
    },
  }
  return files
}
const systemError = (code: string) => Object.assign(new Error(code), { code })

describe('createFileAuditSink', () => {
  it('writes a line a record, chained, in a file only we can read', async () => {
    const sink = await open({ clock: () => Date.parse('2026-08-22T12:00:00Z') })
    await sink.append({ event: 'grant', requestId: 'a', attempts: 2, left_out: undefined })
    await sink.append(deny('b'))
    const [first, second] = records()
    expect(first).toMatchObject({ v: 1, seq: 1, time: '2026-08-22T12:00:00.000Z', event: 'grant', attempts: 2 })
    expect(first).toHaveProperty('prev', '0'.repeat(64))
    expect(second).toMatchObject({ seq: 2, prev: first?.hash, requestId: 'b' })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await verifyAuditFile(path)).toEqual({ ok: true, records: 2, lastHash: second?.hash })
  })

  it('continues the chain of a file that is there', async () => {
    await (await open()).append(deny('a'))
    await (await open()).append(deny('b'))
    expect(ids()).toEqual(['a', 'b'])
    expect(await verifyAuditFile(path)).toMatchObject({ ok: true, records: 2 })
  })

  it('callers that come while the disk is busy share one sync, in their order', async () => {
    let syncs = 0
    const files = faulty({
      async datasync() {
        syncs++
      },
    })
    const sink = await open({ files })
    const names = Array.from({ length: 50 }, (_, i) => `r${i}`)
    await Promise.all(names.map((name) => sink.append(deny(name))))
    expect(syncs).toBe(1)
    expect(ids()).toEqual(names)
  })

  it('append returns only after the sync', async () => {
    let sync = () => {}
    const synced = new Promise<void>((resolve) => {
      sync = resolve
    })
    const begun = jest.fn()
    const sink = await open({
      files: faulty({
        datasync: () => {
          begun()
          sync()
          return held
        },
      }),
    })
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let done = false
    const append = sink.append(deny('a')).then(() => {
      done = true
    })
    await synced
    await new Promise(setImmediate)
    expect(done).toBe(false)
    release()
    await append
  })

  it.each([{ appendTimeoutMs: 0 }, { maxQueue: 1.5 }, { maxRecordBytes: 100 }])('refuses %j', async (init) => {
    await expect(open(init)).rejects.toThrow(RangeError)
  })

  it('after close, appends fail; those before it are written', async () => {
    const sink = await open()
    const append = sink.append(deny('a'))
    await sink.close()
    await append
    await expect(sink.append(deny('b'))).rejects.toMatchObject(unavailable('audit.closed'))
  })
})

describe('disk faults', () => {
  it('L01 a short write is completed', async () => {
    const real = nodeAuditFileSystem(0o600)
    const files: AuditFileSystem = {
      stat: real.stat,
      open: async (name) => {
        const file = await real.open(name)
        return { ...file, write: (octets) => file.write(octets.subarray(0, 100)) }
      },
    }
    const sink = await open({ files })
    await Promise.all([sink.append(deny('a')), sink.append(deny('b'))])
    expect(ids()).toEqual(['a', 'b'])
    expect(await verifyAuditFile(path)).toMatchObject({ ok: true })
  })

  it('L01 the disk is full: all waiting appends fail, no torn line stays, and it goes on when there is room', async () => {
    let room = 700 // octets
    const real = nodeAuditFileSystem(0o600)
    const files: AuditFileSystem = {
      stat: real.stat,
      open: async (name) => {
        const file = await real.open(name)
        return {
          ...file,
          write: async (octets) => {
            const left = room - (await file.stat()).size
            if (left <= 0) throw systemError('ENOSPC')
            return file.write(octets.subarray(0, left)) // as the kernel does: a part first, the error next time
          },
        }
      },
    }
    const sink = await open({ files })
    await sink.append(deny('a'))
    const before = readFileSync(path)
    const lost = await Promise.allSettled(['b', 'c', 'd'].map((name) => sink.append(deny(name))))
    for (const it of lost) expect(it).toMatchObject({ status: 'rejected', reason: unavailable('audit.write') })
    expect(readFileSync(path)).toEqual(before)
    expect(sink.ready()).toBe(false)
    room = 100_000
    await sink.append(deny('e'))
    expect(sink.ready()).toBe(true)
    expect(ids().filter((id) => id !== 'recovered')).toEqual(['a', 'e'])
    expect(await verifyAuditFile(path)).toMatchObject({ ok: true })
  })

  it.each([1, 3])('L12 fdatasync fails %d times: refused, opened anew, not in the file', async (times) => {
    let failures = times
    const files = faulty({
      async datasync() {
        if (failures-- > 0) throw systemError('EIO')
      },
    })
    const sink = await open({ files })
    for (let i = 0; i < times; i++) {
      await expect(sink.append(deny('lost'))).rejects.toMatchObject(unavailable('audit.write'))
      expect(readFileSync(path, 'latin1')).toBe('')
    }
    await sink.append(deny('kept'))
    expect(files.opened).toBe(1 + times)
    expect(ids()).toEqual(['kept'])
  })

  it('L12 what could not be cut at once is cut before the next write', async () => {
    let broken = true
    const real = nodeAuditFileSystem(0o600)
    const files: AuditFileSystem = {
      stat: real.stat,
      open: async (name) => {
        const file = await real.open(name)
        const unlessBroken = async () => {
          if (broken) throw systemError('EIO')
        }
        return {
          ...file,
          datasync: unlessBroken,
          truncate: async (size) => {
            await unlessBroken()
            await file.truncate(size)
          },
        }
      },
    }
    const sink = await open({ files })
    await expect(sink.append(deny('lost'))).rejects.toMatchObject(unavailable('audit.write'))
    await expect(sink.append(deny('lost'))).rejects.toMatchObject(unavailable('audit.write'))
    broken = false
    await sink.append(deny('kept'))
    expect(ids()).toEqual(['kept'])
    expect(await verifyAuditFile(path)).toMatchObject({ ok: true, records: 1 })
  })

  it('while not ready, asking writes a recovered record, once a second at most', async () => {
    let now = 1_000_000
    let broken = true
    const write = jest.fn()
    const sink = await open({
      clock: () => now,
      files: faulty({
        async datasync() {
          write()
          if (broken) throw systemError('EIO')
        },
      }),
    })
    await expect(sink.append(deny('lost'))).rejects.toMatchObject(unavailable('audit.write'))
    expect([sink.ready(), sink.ready(), sink.ready()]).toEqual([false, false, false])
    await expect(sink.append(deny('lost'))).rejects.toMatchObject(unavailable('audit.write'))
    expect(write).toHaveBeenCalledTimes(2)
    broken = false
    now += 1000
    expect(sink.ready()).toBe(false)
    await sink.append(deny('kept'))
    expect(sink.ready()).toBe(true)
    expect(ids()).toEqual(['recovered', 'kept'])
  })

  it('L02 a hanging disk: appends fail in time, the queue is bounded, and it goes on afterwards', async () => {
    let release = () => {}
    const hang = new Promise<void>((resolve) => {
      release = resolve
    })
    const sink = await open({ appendTimeoutMs: 50, maxQueue: 2, files: faulty({ datasync: () => hang }) })
    const first = sink.append(deny('a')) // reaches the disk
    const others = [sink.append(deny('b'))]
    await expect(sink.append(deny('c'))).rejects.toMatchObject(unavailable('audit.queue'))
    for (const it of [first, ...others]) await expect(it).rejects.toMatchObject(unavailable('audit.timeout'))
    expect(sink.ready()).toBe(false)
    await expect(sink.append(deny('d'))).rejects.toMatchObject(unavailable('audit.timeout'))
    release()
    await sink.append(deny('e'))
    expect(sink.ready()).toBe(true)
    expect(ids()).not.toContain('d') // nobody waited for it any more
    expect(await verifyAuditFile(path)).toMatchObject({ ok: true })
  })

  it('L02 close does not wait for a hanging disk', async () => {
    let release = () => {}
    const hang = new Promise<void>((resolve) => {
      release = resolve
    })
    const sink = await createFileAuditSink({ path, appendTimeoutMs: 50, files: faulty({ datasync: () => hang }) })
    const append = sink.append(deny('a'))
    await Promise.all([sink.close(), expect(append).rejects.toMatchObject(unavailable('audit.timeout'))])
    release()
  })

  it('a second writer is noticed', async () => {
    const sink = await open()
    await sink.append(deny('a'))
    appendFileSync(path, 'something else\n')
    await expect(sink.append(deny('b'))).rejects.toMatchObject(unavailable('audit.foreign'))
    await expect(sink.append(deny('c'))).rejects.toMatchObject(unavailable('audit.foreign'))
    expect(readFileSync(path, 'latin1')).toContain('something else\n')
  })
})

describe('what is at the path', () => {
  it('L13 refuses a symlink, a FIFO, a folder', async () => {
    writeFileSync(join(folder, 'target'), '')
    symlinkSync(join(folder, 'target'), join(folder, 'symlink'))
    execFileSync('mkfifo', [join(folder, 'fifo')])
    for (const name of ['symlink', 'fifo', '.']) {
      await expect(open({ path: join(folder, name) })).rejects.toMatchObject(unavailable('audit.open'))
    }
  })

  it('L13 a symlink or a FIFO put in its place: refused, until it is gone', async () => {
    const sink = await open()
    await sink.append(deny('a'))
    renameSync(path, `${path}.1`)
    writeFileSync(join(folder, 'target'), '')
    symlinkSync(join(folder, 'target'), path)
    await sink.append(deny('a2')) // still to the file that was renamed
    await expect(sink.append(deny('b'))).rejects.toMatchObject(unavailable('audit.write'))
    rmSync(path)
    execFileSync('mkfifo', [path])
    await expect(sink.append(deny('c'))).rejects.toMatchObject(unavailable('audit.write'))
    rmSync(path)
    await sink.append(deny('d'))
    expect(readFileSync(join(folder, 'target'), 'latin1')).toBe('')
    expect([ids(`${path}.1`), ids()]).toEqual([['a', 'a2'], ['d']])
  })

  it('L11 renamed and deleted while appends go on: nothing lost, nothing split, one chain', async () => {
    const sink = await open()
    const files: string[] = []
    const appends: Promise<void>[] = []
    for (let i = 0; i < 200; i++) {
      appends.push(sink.append(deny(`r${i}`)))
      if (i % 50 === 49) {
        await sink.append(deny(`r${i}.5`)) // notices the rotation before, and with the next one
        await sink.append(deny(`r${i}.6`)) // the file is there again
        files.push(`${path}.${files.length}`)
        renameSync(path, files.at(-1)!)
      }
    }
    await Promise.all(appends)
    await sink.append(deny('last'))
    await sink.append(deny('new file'))
    files.push(path)
    const each = Array.from({ length: 200 }, (_, i) =>
      i % 50 === 49 ? [`r${i}`, `r${i}.5`, `r${i}.6`] : [`r${i}`],
    ).flat()
    expect(files.flatMap((file) => ids(file))).toEqual([...each, 'last', 'new file'])
    let prev: string | undefined
    for (const file of files) {
      const verdict = await verifyAuditFile(file, prev === undefined ? {} : { prev })
      expect(verdict.ok).toBe(true)
      prev = verdict.ok ? verdict.lastHash : ''
    }
  })

  it('L11 deleted between write and sync: written again, to the next file', async () => {
    let deleted = false
    const sink = await open({
      files: faulty({
        async datasync() {
          if (!deleted) rmSync(path)
          deleted = true
        },
      }),
    })
    await sink.append(deny('a'))
    expect(ids()).toEqual(['a'])
    expect(await verifyAuditFile(path)).toMatchObject({ ok: true, records: 1 })
  })

  it.each(['before', 'between'])('L11 copytruncate %s: the chain continues', async (when) => {
    let truncate = false
    const sink = await open({
      files: faulty({
        async datasync() {
          if (truncate) truncateSync(path)
          truncate = false
        },
      }),
    })
    await sink.append(deny('a'))
    const prev = String(records()[0]?.hash)
    if (when === 'before') truncateSync(path)
    else truncate = true
    await sink.append(deny('b'))
    await sink.append(deny('c'))
    expect(ids()).toEqual(['b', 'c'])
    expect(await verifyAuditFile(path, { prev })).toMatchObject({ ok: true, records: 2 })
  })

  it('L14 a torn last line is cut at the start, and recorded', async () => {
    const sink = await open()
    await sink.append(deny('a'))
    await sink.append(deny('b'))
    const { size } = statSync(path)
    for (const left of [1, 10, 100]) {
      truncateSync(path, size)
      appendFileSync(path, readFileSync(path).subarray(0, left))
      const { length } = ids()
      await open()
      expect(records().slice(length)).toMatchObject([{ event: 'recovered', cut_octets: left }])
      expect(await verifyAuditFile(path)).toMatchObject({ ok: true, records: length + 1 })
    }
  })

  it('L14 a first line torn at any octet', async () => {
    await (await open()).append(deny('a'))
    const line = readFileSync(path)
    for (const left of [1, 7, line.length - 1]) {
      writeFileSync(path, line.subarray(0, left))
      await open()
      expect(ids()).toEqual(['recovered'])
    }
  })

  it('L09 does not go on after a last line that was edited, nor touch a file that is not ours', async () => {
    await (await open()).append(deny('a'))
    for (const text of [readFileSync(path, 'latin1').replace('deny', 'gone'), 'hello', 'hello\n', '\n']) {
      writeFileSync(path, text)
      await expect(open()).rejects.toMatchObject(unavailable('audit.chain'))
      expect(readFileSync(path, 'latin1')).toBe(text)
    }
  })

  it('L17 long values are cut to the size of a record', async () => {
    const sink = await open({ maxRecordBytes: 1024 })
    await sink.append({ event: 'deny', claims: 'x'.repeat(16_384) })
    expect(statSync(path).size).toBeLessThanOrEqual(1025)
    expect(await verifyAuditFile(path)).toMatchObject({ ok: true })
  })
})
