import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { renameSync, symlinkSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { replaceProfile } from '../src/credentials-file/replace-profile.ts'
import { updateProfile } from '../src/update-profile.ts'
import {
  codeOf,
  compileSources,
  faultyFs,
  inParallel,
  KEYS,
  numbered,
  outcome,
  scratch,
  startChild,
  systemError,
} from './file-helpers.ts'
import { seeded } from './random-file.ts'

const OLD = '# mine\n[default]\nregion = eu-west-1\naws_access_key_id = old\n\n[other]\nx = y'
const NOBODY = 65534
const isRoot = process.geteuid?.() === 0

let folder: string
let file: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ folder, remove } = await scratch())
  file = join(folder, 'credentials')
})
afterEach(() => remove())

const write = (mode = 0o600): Promise<void> => writeFile(file, OLD, { mode })
const update = (over: Partial<Parameters<typeof updateProfile>[0]> = {}): ReturnType<typeof updateProfile> =>
  updateProfile({ file, profile: 'default', credentials: KEYS, lockTimeoutMs: 300, ...over })
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8)
const refusal = async (over = {}): Promise<string> => {
  const error = await update(over).then(
    () => 'no error',
    (it: { code: string; message: string }) => `${it.code} ${it.message}`,
  )
  expect((await readdir(folder, { recursive: true })).filter((name) => /\.(tmp|lock)\./.test(name))).toEqual([])
  return error.replace('ERR_CREDENTIALS_FILE_', '').replaceAll(folder, '')
}

describe('updateProfile', () => {
  it('F01, F02: makes the file 0600 and its folders 0700, whatever the umask', async () => {
    const compiled = await compileSources(folder)
    for (const umask of ['000', '077', '022']) {
      const path = join(folder, umask, '.aws', 'credentials')
      const { stdout } = await outcome(startChild('updater.mjs', [compiled, 'once', path, 'test profile', umask]))
      expect(JSON.parse(stdout)).toEqual({ path, changed: true, mode: 0o600 })
      expect([
        await modeOf(path),
        await modeOf(join(folder, umask, '.aws')),
        await modeOf(join(folder, umask)),
      ]).toEqual(['600', '700', '700'])
      expect(await readdir(join(folder, umask, '.aws'))).toEqual(['credentials'])
      expect(await readFile(path, 'utf8')).toBe(
        '[test profile]\naws_access_key_id = access-B\naws_secret_access_key = secret-B\naws_session_token = token-B\n\n',
      )
    }
  })

  it('F13, F14: changes three keys, and writes nothing the second time', async () => {
    await write()
    expect(await update()).toEqual({ path: file, changed: true, mode: 0o600 })
    const text = await readFile(file, 'utf8')
    expect(text).toBe(
      OLD.replace(
        'aws_access_key_id = old\n',
        `aws_access_key_id = ${KEYS.accessKeyId}\naws_secret_access_key = ${KEYS.secretAccessKey}\naws_session_token = ${KEYS.sessionToken}\n`,
      ),
    )
    const before = await stat(file)
    expect(await update()).toEqual({ path: file, changed: false, mode: 0o600 })
    expect((await stat(file)).ino).toBe(before.ino)
    expect(await readdir(folder)).toEqual(['credentials'])
  })

  it('F03: keeps a mode that lets others read, or tightens it when told to', async () => {
    await write(0o644)
    expect(await update()).toMatchObject({ mode: 0o644 })
    expect(await modeOf(file)).toBe('644')
    expect(await update({ tighten: true })).toEqual({ path: file, changed: true, mode: 0o600 })
    expect(await modeOf(file)).toBe('600')
  })

  it('F03: refuses a file or folder that others can write, and says which', async () => {
    await write()
    await chmod(file, 0o620)
    expect(await refusal()).toBe('UNSAFE other users can write /credentials (mode 0620); "chmod go-w" it')
    await chmod(file, 0o600)
    await chmod(folder, 0o770)
    expect(await refusal()).toMatch(/^UNSAFE other users can write to the folder {2}\(mode 0770\)/)
    expect(await readFile(file, 'utf8')).toBe(OLD)
    await chmod(folder, 0o1777) // like /tmp
    expect(await update()).toMatchObject({ changed: true })
  })

  it('F04: follows a symbolic link, and keeps it', async () => {
    await mkdir(join(folder, 'dotfiles'), { mode: 0o700 })
    await writeFile(join(folder, 'dotfiles', 'aws'), OLD, { mode: 0o600 })
    await symlink('dotfiles/aws', file)
    await symlink(folder, join(folder, 'dotfiles', 'up'))
    expect(await update({ file: join(folder, 'dotfiles', 'up', 'credentials') })).toMatchObject({
      path: join(folder, 'dotfiles', 'aws'),
      changed: true,
    })
    expect(await readlink(file)).toBe('dotfiles/aws')
    expect((await lstat(join(folder, 'dotfiles', 'aws'))).isFile()).toBe(true)
    expect(await readFile(file, 'utf8')).toContain(KEYS.accessKeyId)
  })

  it('F04: refuses links to nothing, hard links, folders, pipes', async () => {
    await symlink('nothing', file)
    expect(await refusal()).toBe('UNSAFE /credentials is a symbolic link to nothing')
    await fs.unlink(file)
    await symlink('credentials', file)
    expect(await refusal()).toMatch(/^UNSAFE/)
    await fs.unlink(file)
    await write()
    await link(file, join(folder, 'second'))
    expect(await refusal()).toMatch(/^UNSAFE \/credentials has another name/)
    await fs.unlink(file)
    await mkdir(file)
    expect(await refusal()).toMatch(/^UNSAFE \/credentials is not a plain file/)
    await fs.rmdir(file)
    execFileSync('mkfifo', ['-m', '600', file])
    expect(await refusal()).toMatch(/^UNSAFE \/credentials is not a plain file/)
    expect(await refusal({ file: join(folder, 'second', 'credentials') })).toMatch(/^(UNSAFE|IO) .*(ENOTDIR|EEXIST)/)
  })

  it('F15: refuses what is too large for a credentials file', async () => {
    await writeFile(file, '', { mode: 0o600 })
    await fs.truncate(file, 8 * 1024 * 1024 + 1)
    expect(await refusal()).toMatch(/^TOO_LARGE/)
  })

  it.each(['', 'a]', '[a', 'a\nb', 'a=b', 'a\0', ' a', 'a ', 'a#b', 'a;b', 'x'.repeat(1024), 7 as never])(
    'F16: refuses the profile %j',
    async (profile) => {
      await write()
      await expect(update({ profile })).rejects.toThrow(TypeError)
      expect(await readFile(file, 'utf8')).toBe(OLD)
    },
  )

  it.each(['', 'a\nb', 'a\r', 'a b', 'a\0', 'é', '#a', 'x'.repeat(16_385), undefined as never, 7 as never])(
    'F16: refuses the value %j, without saying it',
    async (value) => {
      await write()
      for (const name of ['accessKeyId', 'secretAccessKey']) {
        const message = await refusal({ credentials: { ...KEYS, [name]: value } })
        expect(message).toMatch(new RegExp(`^CREDENTIALS "${name}" (is missing|has characters)`))
      }
      expect(await readFile(file, 'utf8')).toBe(OLD)
    },
  )

  it('refuses wrong arguments', async () => {
    await expect(update({ file: '' })).rejects.toThrow(TypeError)
    await expect(update({ lockTimeoutMs: -1 })).rejects.toThrow(RangeError)
    expect(await codeOf(update({ credentials: undefined as never }))).toBe('ERR_CREDENTIALS_FILE_CREDENTIALS')
  })

  it('F08: waits for another updater, says whose the lock is, and takes over from the dead', async () => {
    await write()
    const compiled = await compileSources(folder)
    const holder = startChild('updater.mjs', [compiled, 'forever', file, 'other', 0])
    await once(holder.stdout!, 'data')
    const lockOf = async (): Promise<string | undefined> =>
      (await readdir(folder)).find((name) => name.includes('.lock.'))
    let lock = await lockOf()
    while (lock === undefined) {
      holder.kill('SIGCONT')
      await new Promise((resolve) => setTimeout(resolve, 1))
      holder.kill('SIGSTOP')
      lock = await lockOf()
    }
    await expect(update({ lockTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_FILE_LOCKED',
      message: `${file} is being updated by process ${holder.pid}`,
    })
    const aborted = update({ lockTimeoutMs: 60_000, signal: AbortSignal.timeout(20) })
    await expect(aborted).rejects.toMatchObject({ name: expect.stringMatching(/AbortError|TimeoutError/) })
    const ended = once(holder, 'close')
    holder.kill('SIGKILL')
    await ended
    expect(await update()).toMatchObject({ changed: true })
    expect((await readdir(folder)).sort()).toEqual(['compiled', 'credentials'])
  })

  it('F08: another program that changes the file meanwhile loses nothing', async () => {
    await write()
    let changes = 0
    const { fs: slow, closeAll } = faultyFs((_, name) => {
      if (name === 'handle.sync' && changes < 2) execFileSync('sh', ['-c', `echo "# ${++changes}" >> ${file}`])
      return 'go'
    })
    const want = { file, profile: 'default', credentials: KEYS, tighten: false, lockTimeoutMs: 1000 }
    await replaceProfile(slow, want)
    await closeAll()
    const text = await readFile(file, 'utf8')
    expect(text).toContain('x = y# 1\n# 2\n')
    expect(text).toContain(KEYS.secretAccessKey)
  })

  it('F08: eight updaters at once, two of them of one profile, 1,000 rounds, and all are current', async () => {
    await write()
    const compiled = await compileSources(folder)
    const profiles = Array.from({ length: 8 }, (_, n) => `p${n % 7}`)
    const ended = await Promise.all(
      profiles.map((profile) => outcome(startChild('updater.mjs', [compiled, 'rounds', file, profile, 125]))),
    )
    expect(ended.map(({ code }) => code)).toEqual(profiles.map(() => 0))
    const text = await readFile(file, 'utf8')
    expect(text.startsWith(OLD)).toBe(true)
    for (const profile of profiles) {
      const lines = ['aws_access_key_id = access', 'aws_secret_access_key = secret', 'aws_session_token = token']
      expect(text).toContain(`[${profile}]\n${lines.map((line) => `${line}-${profile}-125\n`).join('')}`)
    }
    expect(text.match(/^\[/gm)).toHaveLength(2 + 7)
    expect((await readdir(folder)).sort()).toEqual(['compiled', 'credentials'])
  }, 120_000)

  it('F07: an error of the system at any call leaves the old bytes, and no other file', async () => {
    const { calls, fs: none, closeAll } = faultyFs(() => 'go')
    const want = { file, profile: 'default', credentials: KEYS, tighten: false, lockTimeoutMs: 0 }
    await write()
    await replaceProfile(none, want)
    await closeAll()
    const rename = calls.indexOf('rename') + 1
    expect(calls.length).toBeGreaterThan(20)
    for (const errno of ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS']) {
      for (let n = 1; n <= calls.length; n++) {
        await writeFile(file, OLD)
        const faulty = faultyFs((call, name) => (call === n && name !== 'handle.close' ? systemError(errno) : 'go'))
        const error = await codeOf(replaceProfile(faulty.fs, want))
        await faulty.closeAll()
        if (!(await readdir(folder)).every((name) => name === 'credentials' || name.includes('.lock.')))
          throw new Error(`${errno} at ${n}: ${await readdir(folder)}`)
        const text = await readFile(file, 'utf8')
        const failed = error !== 'no error'
        if (failed && n <= rename && text !== OLD) throw new Error(`${errno} at ${n}: changed`)
        if (!failed) expect(text).toContain(KEYS.secretAccessKey)
        for (const name of await readdir(folder)) if (name !== 'credentials') await fs.unlink(join(folder, name)) // an unlink that failed
        if (!failed) continue
        const expected = { EIO: 'IO', ENOSPC: 'FULL', EDQUOT: 'FULL', EROFS: 'DENIED' }[errno]
        if (error !== `ERR_CREDENTIALS_FILE_${expected}`)
          throw new Error(`${errno} at ${n}, ${calls[n - 1]}: ${String(error)}`)
      }
    }
  })

  it('F10: what takes the folder’s place at any call is neither read nor written', async () => {
    const [own, moved, trap] = [join(folder, 'own'), join(folder, 'moved'), join(folder, 'trap')]
    const want = { profile: 'default', credentials: KEYS, tighten: false, lockTimeoutMs: 0 }
    const { calls, fs: none, closeAll } = faultyFs(() => 'go')
    await write()
    await replaceProfile(none, { ...want, file })
    await closeAll()
    const outcomes: unknown[] = []
    for (let n = calls.indexOf('open') + 1; n <= calls.length; n++) {
      for (const path of [own, trap]) await mkdir(path, { mode: 0o700 })
      for (const path of [own, trap]) await writeFile(join(path, 'credentials'), OLD, { mode: 0o600 })
      const swapping = faultyFs((call) => {
        if (call === n) {
          renameSync(own, moved)
          symlinkSync(trap, own)
        }
        return 'go'
      })
      const error = await codeOf(replaceProfile(swapping.fs, { ...want, file: join(own, 'credentials') }))
      await swapping.closeAll()
      outcomes.push(error)
      expect([n, await readdir(trap), await readFile(join(trap, 'credentials'), 'utf8')]).toEqual([
        n,
        ['credentials'],
        OLD,
      ])
      const text = await readFile(join(moved, 'credentials'), 'utf8')
      if (error === 'no error') expect(text).toContain(KEYS.secretAccessKey)
      else expect(text).toBe(OLD)
      for (const path of [own, moved, trap]) await fs.rm(path, { recursive: true })
    }
    expect(outcomes.slice(0, 1)).not.toEqual(['no error']) // a link in its place
    expect(outcomes.filter((it) => it === 'no error').length).toBeGreaterThan(10) // the folder that was opened
  })

  it('F10: a file that is there already under the name of the new one is not written', async () => {
    await write()
    const victim = join(folder, 'victim')
    await writeFile(victim, 'mine')
    for (const plant of [symlink, link]) {
      const open: typeof fs.open = async (path, ...rest) => {
        if (String(path).includes('.tmp.')) await plant(victim, path)
        return await fs.open(path, ...rest)
      }
      const want = { file, profile: 'default', credentials: KEYS, tighten: false, lockTimeoutMs: 0 }
      expect(await codeOf(replaceProfile({ ...fs, open }, want))).toBe('ERR_CREDENTIALS_FILE_IO')
      expect([await readFile(file, 'utf8'), await readFile(victim, 'utf8')]).toEqual([OLD, 'mine'])
    }
  })

  it('F05: a crash after any call leaves the old file or the new one', async () => {
    await write()
    const want = { file, profile: 'default', credentials: KEYS, tighten: false, lockTimeoutMs: 0 }
    let seen = ''
    for (let n = 1, over = false; !over; n++) {
      await writeFile(file, OLD)
      const crashing = faultyFs((call) => (call === n ? 'half' : 'go'))
      over = (await codeOf(replaceProfile(crashing.fs, want))) === 'no error'
      await crashing.closeAll()
      const text = await readFile(file, 'utf8')
      expect(text === OLD || (text.includes(KEYS.sessionToken) && text.endsWith('[other]\nx = y'))).toBe(true)
      seen += text === OLD ? 'o' : 'n'
      for (const name of await readdir(folder)) if (name !== 'credentials') await fs.unlink(join(folder, name))
    }
    expect(seen).toMatch(/^o{15,}n{3,}$/)
  })

  it('F05, F20: killed at 200 points, it never loses a byte, and the next one cleans up', async () => {
    const compiled = await compileSources(folder)
    const random = seeded(5)
    const rest = `# ${'long '.repeat(20_000)}\n`
    const state = (letter: string): string =>
      `[p]\naws_access_key_id = access-${letter}\naws_secret_access_key = secret-${letter}\naws_session_token = token-${letter}\n${rest}`
    const points = Array.from({ length: 200 }, (_, n) => n)
    let kills = 0
    await inParallel(points, 4, async (n) => {
      const own = join(folder, `f${n}`, 'credentials')
      await mkdir(join(folder, `f${n}`), { mode: 0o700 })
      await writeFile(own, state('A'), { mode: 0o600 })
      const exact = n < 40
      const child = startChild('updater.mjs', [compiled, exact ? 'killed' : 'forever', own, 'p', n + 1])
      const ended = outcome(child)
      if (!exact) {
        await once(child.stdout!, 'data')
        await new Promise((resolve) => setTimeout(resolve, random() * 25))
        child.kill('SIGKILL')
      }
      const { signal, stdout } = await ended
      if (signal === 'SIGKILL') kills += 1
      else expect(stdout).toBe('finished')
      const text = await readFile(own, 'utf8')
      if (text !== state('A') && text !== state('B')) throw new Error(`point ${n}: ${text.length} octets`)
      await updateProfile({ file: own, profile: 'p', credentials: numbered('C') })
      expect(await readFile(own, 'utf8')).toBe(state('C'))
      expect(await readdir(join(folder, `f${n}`))).toEqual(['credentials'])
    })
    expect(kills).toBeGreaterThan(180)
  }, 180_000)

  it('F09: a reader never finds less than a whole file', async () => {
    await writeFile(file, '[p]\n', { mode: 0o600 })
    await updateProfile({ file, profile: 'p', credentials: numbered('A') })
    const compiled = await compileSources(folder)
    const child = startChild('updater.mjs', [compiled, 'forever', file, 'p', 0])
    const ended = outcome(child)
    const seen = new Set<string>()
    const until = performance.now() + 20_000
    for (let reads = 0; (reads < 10_000 || seen.size < 2) && performance.now() < until; reads++)
      seen.add(await readFile(file, 'latin1'))
    child.kill('SIGKILL')
    await ended
    const whole = (x: string): string =>
      `[p]\naws_access_key_id = access-${x}\naws_secret_access_key = secret-${x}\naws_session_token = token-${x}\n`
    expect([...seen].sort()).toEqual([whole('A'), whole('B')])
  })
})

// These need root: users to be refused, and a file system to be filled.
if (isRoot)
  describe('updateProfile, as root', () => {
    it('F06: a full disk leaves the old bytes', async () => {
      const disk = join(folder, 'disk')
      await mkdir(disk, { mode: 0o700 })
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', disk])
      try {
        const own = join(disk, 'credentials')
        const content = `${OLD}\n# ${'x'.repeat(30_000)}\n`
        await writeFile(own, content, { mode: 0o600 })
        await writeFile(join(disk, 'filler'), Buffer.alloc(28_000))
        await expect(update({ file: own })).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_FILE_FULL' })
        expect(await readFile(own, 'utf8')).toBe(content)
        expect((await readdir(disk)).sort()).toEqual(['credentials', 'filler'])
        await fs.unlink(join(disk, 'filler'))
        expect(await update({ file: own })).toMatchObject({ changed: true })
      } finally {
        execFileSync('umount', [disk])
      }
    })

    it('F03: keeps owner, group and mode of another user’s file in a folder of theirs', async () => {
      await write(0o640)
      await chown(file, NOBODY, 12_345)
      await chown(folder, NOBODY, NOBODY)
      expect(await update()).toMatchObject({ changed: true, mode: 0o640 })
      const { uid, gid } = await stat(file)
      expect([uid, gid, await modeOf(file)]).toEqual([NOBODY, 12_345, '640'])
    })

    it('F03, F04: refuses folders and links of somebody else', async () => {
      await write()
      await chown(folder, NOBODY, NOBODY)
      expect(await refusal()).toMatch(/^UNSAFE the folder {2}belongs to user 65534, and the file to user 0$/)
      await chown(folder, 0, 0)
      await mkdir(join(folder, 'theirs'))
      await symlink(file, join(folder, 'theirs', 'link'))
      await fs.lchown(join(folder, 'theirs', 'link'), NOBODY, NOBODY)
      expect(await refusal({ file: join(folder, 'theirs', 'link') })).toMatch(
        /^UNSAFE the symbolic link \/theirs\/link belongs to user 65534/,
      )
      expect(await readFile(file, 'utf8')).toBe(OLD)
    })

    it('F03, F04, F07: as nobody: refuses files of others, links to them, and folders where it may not write', async () => {
      const compiled = await compileSources(folder)
      execFileSync('chmod', ['-R', 'a+rX', compiled])
      await chmod(folder, 0o755)
      const asNobody = async (path: string): Promise<{ code?: string; message?: string; changed?: boolean }> => {
        const { stdout } = await outcome(startChild('updater.mjs', [compiled, 'once', path, 'p', '022'], NOBODY))
        return JSON.parse(stdout) as { code?: string }
      }
      await write(0o644)
      expect(await asNobody(file)).toMatchObject({ code: 'ERR_CREDENTIALS_FILE_DENIED' })
      const own = join(folder, 'own')
      await mkdir(own)
      await chown(own, NOBODY, NOBODY)
      await writeFile(join(own, 'foreign'), OLD, { mode: 0o644 })
      expect(await asNobody(join(own, 'foreign'))).toMatchObject({ code: 'ERR_CREDENTIALS_FILE_UNSAFE' })
      expect(await readFile(join(own, 'foreign'), 'utf8')).toBe(OLD)
      await symlink(file, join(own, 'link')) // as to /etc/passwd
      await fs.lchown(join(own, 'link'), NOBODY, NOBODY)
      expect(await asNobody(join(own, 'link'))).toMatchObject({ code: 'ERR_CREDENTIALS_FILE_UNSAFE' })
      expect(await readFile(file, 'utf8')).toBe(OLD)
      expect(await asNobody(join(own, 'new'))).toMatchObject({ changed: true })
      expect((await readdir(own)).sort()).toEqual(['foreign', 'link', 'new'])
    })
  })
