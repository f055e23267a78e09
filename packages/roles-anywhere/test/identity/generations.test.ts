import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createGenerations, type GenerationsInit } from '../../src/identity/generations.ts'
import { pemIdentity } from '../../src/identity/pem.ts'
import { readWholeFile } from '../../src/identity/read-file.ts'
import type { X509IdentitySource } from '../../src/index.ts'
import { createLab, type Lab, rejection, signs, warnings } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
  for (const name of ['one', 'two', 'three']) await lab.leaf(name)
})
afterAll(() => lab.remove())

const OLD = new Date(Date.now() - 60_000)
/** As somebody who writes in place does it. */
async function put(name: string, from: string): Promise<void> {
  await lab.write(name, await lab.text(from))
}
/** Of which leaf the present identity is. */
async function nameOf(source: X509IdentitySource): Promise<string> {
  const identity = await source.current()
  expect(await signs(identity)).toBe(true) // never the key of one and the certificate of another
  for (const name of ['one', 'two', 'three']) {
    const der = (await lab.text(`${name}.crt`)).replace(/-----.*-----|\s/g, '')
    if (Buffer.from(identity.certificate).toString('base64') === der) return name
  }
  throw new Error('none of them')
}

describe('F: rotation of PEM files', () => {
  const { seen, onWarning } = warnings()
  let source: X509IdentitySource
  beforeEach(async () => {
    seen.length = 0
    await put('live.crt', 'one.crt')
    await put('live.key', 'one.key')
    source = pemIdentity({ certificateFile: lab.path('live.crt'), privateKeyFile: lab.path('live.key'), onWarning })
    expect(await nameOf(source)).toBe('one')
  })
  afterEach(() => source.close())

  it.each([
    ['the certificate first', ['crt', 'key']],
    ['the key first', ['key', 'crt']],
  ])('%s: the old pair until the new one is whole', async (_, order) => {
    await put(`live.${order[0]}`, `two.${order[0]}`)
    expect(await nameOf(source)).toBe('one')
    expect(await nameOf(source)).toBe('one')
    expect(seen).toEqual([
      { code: 'WARN_RA_RELOAD', message: expect.stringMatching(/identity of before.*live.key is not that of/) },
    ])
    await put(`live.${order[1]}`, `two.${order[1]}`)
    expect(await nameOf(source)).toBe('two')
  })

  it.each([
    ['cut off', async () => lab.write('live.key', (await lab.text('two.key')).slice(0, 90))],
    ['empty', () => lab.write('live.key', '')],
    ['gone', () => rm(lab.path('live.key'))],
    ['another thing', () => put('live.key', 'two.crt')],
  ])('a file that is %s for a while', async (_, breakIt) => {
    await put('live.crt', 'two.crt')
    await breakIt()
    expect(await nameOf(source)).toBe('one')
    expect(seen.map((it) => it.code)).toEqual(['WARN_RA_RELOAD'])
    await put('live.key', 'two.key')
    expect(await nameOf(source)).toBe('two')
    await put('live.key', 'three.key')
    expect(await nameOf(source)).toBe('two')
    expect(seen).toHaveLength(2) // said anew, as it went well between
  })

  it('files that were renamed into their place', async () => {
    for (const name of ['two', 'three']) {
      for (const kind of ['key', 'crt']) {
        await put(`new.${kind}`, `${name}.${kind}`)
        await rename(lab.path(`new.${kind}`), lab.path(`live.${kind}`))
      }
      expect(await nameOf(source)).toBe(name)
    }
  })

  it('is shared by callers that come together', async () => {
    await put('live.crt', 'two.crt')
    await put('live.key', 'two.key')
    const all = await Promise.all(Array.from({ length: 20 }, () => source.current()))
    expect(new Set(all).size).toBe(1)
    expect(await nameOf(source)).toBe('two')
  })

  it('gives the same identity as long as nothing changes', async () => {
    const first = await source.current()
    expect(await source.current()).toBe(first)
    await put('live.crt', 'one.crt') // touched only
    expect(await source.current()).toBe(first)
  })
})

it('F: follows the links of a Kubernetes volume', async () => {
  const volume = lab.path('volume')
  for (const [at, name] of [
    ['..1', 'one'],
    ['..2', 'two'],
  ] as const) {
    await mkdir(join(volume, at), { recursive: true })
    await writeFile(join(volume, at, 'tls.crt'), await lab.text(`${name}.crt`))
    await writeFile(join(volume, at, 'tls.key'), await lab.text(`${name}.key`))
  }
  await symlink('..1', join(volume, '..data'))
  for (const file of ['tls.crt', 'tls.key']) await symlink(join('..data', file), join(volume, file))
  const source = pemIdentity({ certificateFile: join(volume, 'tls.crt'), privateKeyFile: join(volume, 'tls.key') })
  expect(await nameOf(source)).toBe('one')
  await symlink('..2', join(volume, '..tmp'))
  await rename(join(volume, '..tmp'), join(volume, '..data'))
  await rm(join(volume, '..1'), { recursive: true })
  expect(await nameOf(source)).toBe('two')
})

it('says what is wrong while there is no generation yet, and tries again', async () => {
  await put('late.crt', 'one.crt')
  await put('late.key', 'two.key')
  const source = pemIdentity({ certificateFile: lab.path('late.crt'), privateKeyFile: lab.path('late.key') })
  expect((await rejection(source)).code).toBe('ERR_RA_MISMATCH')
  await put('late.key', 'one.key')
  expect(await nameOf(source)).toBe('one')
})

describe('createGenerations', () => {
  const released: string[] = []
  async function start(more: Partial<GenerationsInit<{ text: string }>> = {}) {
    released.length = 0
    const paths = [await lab.write('a', 'a1'), await lab.write('b', 'b1')] as const
    const load = jest.fn((files: Parameters<GenerationsInit<unknown>['load']>[0]) => {
      const text = paths.map((it) => files.get(it)?.octets.toString()).join(' ')
      if (text[1] !== text[4]) throw new Error(`mixed: ${text}`)
      return Promise.resolve({ text })
    })
    const read = jest.fn(readWholeFile)
    const release = ({ text }: { text: string }) => void released.push(text)
    return {
      paths,
      load,
      read,
      generations: createGenerations({ files: [...paths, paths[0]], load, read, release, ...more }),
    }
  }

  it('looks at stamps alone, once they can be relied on', async () => {
    const { generations, load, read } = await start({ now: () => Date.now() + 60_000 })
    for (let calls = 0; calls < 3; calls++) expect((await generations.current()).text).toBe('a1 b1')
    expect(read).toHaveBeenCalledTimes(2)
    expect(load).toHaveBeenCalledTimes(1)
  })

  it('does not rely on stamps of files that were just written', async () => {
    const { generations, load, read, paths } = await start()
    await generations.current()
    await generations.current()
    expect(read).toHaveBeenCalledTimes(4)
    expect(load).toHaveBeenCalledTimes(1)
    await utimes(paths[0], OLD, OLD) // its ctime is of now still
    await generations.current()
    expect(read).toHaveBeenCalledTimes(6)
  })

  it('reads all again when one changed between the reads', async () => {
    const { generations, load, read, paths } = await start()
    read.mockImplementationOnce(async (path) => {
      const before = await readWholeFile(path)
      await writeFile(paths[0], 'a2')
      await writeFile(paths[1], 'b2')
      return before
    })
    expect((await generations.current()).text).toBe('a2 b2')
    expect(load).toHaveBeenCalledTimes(1)
  })

  it('gives up on files that change all the time', async () => {
    let written = 10
    const { generations, paths } = await start({
      async read(path) {
        const it = await readWholeFile(path)
        await writeFile(paths[0], `a${written++}`)
        return it
      },
    })
    await expect(generations.current()).rejects.toMatchObject({
      code: 'ERR_RA_FILE',
      message: expect.stringMatching(/changed each time/),
    })
  })

  it('wipes what it read, whether it was of use or not', async () => {
    const buffers: Buffer[] = []
    const { generations, paths } = await start({
      async read(path) {
        const it = await readWholeFile(path)
        buffers.push(it.octets)
        return it
      },
    })
    await generations.current()
    await writeFile(paths[1], 'bX')
    await generations.current()
    await rm(paths[1])
    await generations.current()
    expect(buffers.length).toBeGreaterThanOrEqual(5)
    for (const it of buffers) expect(it.every((octet) => octet === 0)).toBe(true)
  })

  it('gives back the generation before the previous one, and on close all', async () => {
    const { generations, paths } = await start()
    for (const text of ['1', '2', '3']) {
      await writeFile(paths[0], `a${text}`)
      await writeFile(paths[1], `b${text}`)
      await generations.current()
    }
    expect(released).toEqual(['a1 b1'])
    await generations.close()
    await generations.close()
    expect(released).toEqual(['a1 b1', 'a2 b2', 'a3 b3'])
    await expect(generations.current()).rejects.toMatchObject({ code: 'ERR_RA_CLOSED' })
  })

  it('gives back what was loading when it was closed', async () => {
    let finish: (it: { text: string }) => void = () => undefined
    const { generations } = await start({
      load: () =>
        new Promise((resolve) => {
          finish = resolve
        }),
    })
    const loading = generations.current()
    loading.catch(() => undefined)
    while (finish.length === 0) await new Promise(setImmediate)
    const closing = generations.close()
    finish({ text: 'late' })
    await closing
    await expect(loading).rejects.toMatchObject({ code: 'ERR_RA_CLOSED' })
    expect(released).toEqual(['late'])
  })
})

it('lets each caller wait no longer than his signal allows', async () => {
  let finish: (it: string) => void = () => undefined
  const generations = createGenerations<string>({
    files: [await lab.write('slow', 'content')],
    load: () =>
      new Promise((resolve) => {
        finish = resolve
      }),
    release: () => undefined,
  })
  const controller = new AbortController()
  const patient = generations.current()
  const hurried = generations.current(controller.signal)
  controller.abort()
  await expect(hurried).rejects.toMatchObject({ code: 'ERR_RA_ABORTED' })
  while (finish.length === 0) await new Promise(setImmediate)
  finish('loaded')
  expect(await patient).toBe('loaded')
})
