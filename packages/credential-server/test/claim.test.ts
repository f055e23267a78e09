import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type Claim, tryClaim } from '../src/credentials-file/claim.ts'
import { type Folder, openFolder } from '../src/credentials-file/folder.ts'
import { lockFile } from '../src/credentials-file/lock.ts'
import { ownMark, stateOf } from '../src/credentials-file/process-mark.ts'
import { scratch } from './file-helpers.ts'

const STALE = { staleMs: 60_000 }
const linux = process.platform === 'linux'

let path: string
let remove: () => Promise<void>
let folder: Folder
beforeEach(async () => {
  ;({ folder: path, remove } = await scratch())
  folder = await openFolder(fs, path)
})
afterEach(async () => {
  await folder.close()
  await remove()
})

const claim = (): ReturnType<typeof tryClaim> => tryClaim(fs, folder, 'f', STALE)
const leave = async (name: string, ageMs = 0): Promise<void> => {
  await writeFile(join(path, `f.lock.${name}`), '')
  const time = (Date.now() - ageMs) / 1000
  await utimes(join(path, `f.lock.${name}`), time, time)
}
const { place, pid, start } = ownMark()
const NONCE = '0123456789abcdef'

describe('tryClaim', () => {
  it('is for one at a time, and for one file', async () => {
    const first = (await claim()) as Claim
    expect(first).toMatchObject({ granted: true })
    expect(await claim()).toEqual({ granted: false, who: `process ${process.pid}` })
    expect(await tryClaim(fs, folder, 'g', STALE)).toMatchObject({ granted: true })
    expect(await first.isHeld()).toBe(true)
    await first.release()
    await first.release()
    expect(await first.isHeld()).toBe(false)
    expect(await claim()).toMatchObject({ granted: true })
  })

  it('F08: never two at once, whoever comes when', async () => {
    let inside = 0
    let most = 0
    const turn = async (): Promise<void> => {
      const lock = await lockFile(fs, folder, 'f', { waitMs: 20_000 })
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
      await lock.release()
    }
    await Promise.all(Array.from({ length: 30 }, turn))
    expect(most).toBe(1)
    expect(await readdir(path)).toEqual([])
  })

  it('F08: a dead process holds nothing, and neither does one that only has its number', async () => {
    const child = spawn(process.execPath, ['-e', '0'])
    await once(child, 'close')
    await leave(`${place}.${child.pid}.${start}.${NONCE}`)
    await leave(`${place}.${pid}.${linux ? '1' : '0'}.${NONCE}`, linux ? 0 : 61_000)
    expect(await claim()).toMatchObject({ granted: true })
    expect(await readdir(path)).toHaveLength(1)
  })

  it('F08: processes of another machine, and claims that say nothing, lapse after a while', async () => {
    await leave(`elsewhere.${pid}.${start}.${NONCE}`, 59_000)
    expect(await claim()).toEqual({ granted: false, who: `process ${pid}, perhaps of another machine or container` })
    await leave(`elsewhere.${pid}.${start}.${NONCE}`, 61_000)
    await leave('nonsense')
    expect(await claim()).toEqual({ granted: false, who: 'somebody' })
    await leave('nonsense', -61_000)
    const lock = (await claim()) as Claim
    expect(await readdir(path)).toHaveLength(1)
    await fs.unlink(join(path, (await readdir(path))[0]!)) // others took it for dead
    expect(await lock.isHeld()).toBe(false)
  })

  it('F08, F10: claims of others count only where the file is theirs', async () => {
    if (process.geteuid === undefined) return // no owners there
    await leave(`${place}.${pid}.${start}.${NONCE}`)
    await leave('nonsense')
    const asOf = (uid: number): typeof fs => ({
      ...fs,
      lstat: (async (name: string) => Object.assign(await fs.lstat(name), { uid })) as typeof fs.lstat,
    })
    const stranger = (process.geteuid() || 4242) + 1
    expect(await tryClaim(asOf(0), folder, 'f', STALE)).toMatchObject({ granted: false })
    expect(await tryClaim(asOf(stranger), folder, 'f', { ...STALE, owner: stranger })).toMatchObject({ granted: false })
    expect(await tryClaim(asOf(stranger), folder, 'f', STALE)).toMatchObject({ granted: true })
    expect(await readdir(path)).toHaveLength(3)
  })

  it('waits no longer than it is told to', async () => {
    await claim()
    await expect(lockFile(fs, folder, 'f', { waitMs: 30 })).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_FILE_LOCKED',
    })
    await expect(lockFile(fs, folder, 'f', { waitMs: 30_000, signal: AbortSignal.abort() })).rejects.toThrow(/abort/i)
  })
})

describe('stateOf', () => {
  it('knows its own process, a parent, a stranger', () => {
    expect(stateOf({ place, pid, start })).toBe('alive')
    expect(stateOf({ place: 'elsewhere', pid, start })).toBe('unknown')
    expect(stateOf({ place, pid: 1, start: '0' })).toBe('unknown')
    expect(stateOf({ place, pid: 2 ** 22 + 1, start: '5' })).toBe('dead')
  })

  it('a process that nobody has buried yet is dead', async () => {
    const parent = spawn('sh', ['-c', `sh -c 'printf "%s %s" $$ "$(cat /proc/$$/stat)"' & exec sleep 60`])
    const [chunk] = (await once(parent.stdout, 'data')) as [Buffer]
    const [zombie] = chunk.toString().split(' ')
    const started = chunk.toString().split(') ')[1]?.split(' ')[19]
    const mark = { place, pid: Number(zombie), start: started ?? '0' }
    while (linux && stateOf(mark) !== 'dead') await new Promise((resolve) => setTimeout(resolve, 5))
    if (linux) expect(stateOf(mark)).toBe('dead')
    const ended = once(parent, 'close')
    parent.kill('SIGKILL')
    await ended
  })
})
