import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { chmod, chown } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { build } from 'esbuild'
import { readSecret } from '../src/internal/secret-source.ts'
import { type Folder, makeFolder, runProcess } from './helpers.ts'

let folder: Folder
let program: string
beforeAll(async () => {
  folder = await makeFolder()
  program = join(folder.path, 'read-secret.mjs')
  const resolveDir = fileURLToPath(new URL('../src/internal', import.meta.url))
  const contents = `import { readSecret } from './secret-source.ts'
    try { console.log('octets', (await readSecret(process.argv[2], '--secret')).toString('hex')) }
    catch (error) { console.log(error.name, error.message) }`
  const stdin = { contents, resolveDir, loader: 'ts' } as const
  await build({ stdin, bundle: true, platform: 'node', format: 'esm', outfile: program, logLevel: 'silent' })
})
afterAll(() => folder?.remove())

const hex = (text: string) => Buffer.from(text).toString('hex')
const read = async (source: string) => (await readSecret(source, '--secret')).toString()

/** Types on a terminal of its own, made by script(1), once the prompt is there. */
async function onTerminal(keys: string): Promise<string> {
  const child = spawn('script', ['-qec', `${process.execPath} ${program} prompt < /dev/null`, '/dev/null'], {
    stdio: 'pipe',
    env: { PATH: process.env.PATH },
  })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => {
    if (shown === '') child.stdin.write(keys)
    shown += chunk.toString()
  })
  await once(child, 'close')
  return shown
}

describe('M13 a secret comes from', () => {
  it('a file that is ours alone, without the line feed at its end', async () => {
    expect(await read(`file:${await folder.write('one', 's3cret\n')}`)).toBe('s3cret')
    expect(await read(`file:${await folder.write('two', ' s3\n\n')}`)).toBe(' s3\n')
    expect(await read(`file:${await folder.write('three', 's3cret\r\n')}`)).toBe('s3cret')
  })
  it.each([0o640, 0o604, 0o622])('no file of mode %o', async (mode) => {
    const path = await folder.write('open', 's3cret')
    await chmod(path, mode)
    await expect(read(`file:${path}`)).rejects.toThrow('is open to others')
  })
  it('no file of somebody else', async () => {
    const path = await folder.write('theirs', 's3cret')
    const me = process.getuid?.()
    if (me === 0) await chown(path, 4711, 4711)
    else jest.spyOn(process, 'getuid').mockReturnValue(4711)
    await expect(read(`file:${path}`)).rejects.toThrow('belongs to somebody else')
    jest.restoreAllMocks()
  })
  it('no folder, no FIFO, nothing that is not there, nothing empty, nothing long', async () => {
    await expect(read(`file:${folder.path}`)).rejects.toThrow(/open to others|not a regular file/)
    const fifo = join(folder.path, 'fifo')
    await runProcess('mkfifo', ['-m', '600', fifo], {})
    await expect(read(`file:${fifo}`)).rejects.toThrow('not a regular file')
    await expect(read(`file:${folder.path}/none`)).rejects.toThrow('ENOENT')
    await expect(read(`file:${await folder.write('empty', '\n')}`)).rejects.toThrow('empty')
    await expect(read(`file:${await folder.write('long', 'x'.repeat(5000))}`)).rejects.toThrow('longer than')
  })
  it('an environment variable', async () => {
    process.env.TEST_SECRET = 's3cret'
    expect(await read('env:TEST_SECRET')).toBe('s3cret')
    expect(process.env).not.toHaveProperty('TEST_SECRET')
    await expect(read('env:TEST_SECRET')).rejects.toThrow('TEST_SECRET is not set')
  })
  it('a file descriptor, or stdin', async () => {
    const descriptor = openSync(await folder.write('fd', 's3cret\n'), 'r')
    expect(await read(`fd:${descriptor}`)).toBe('s3cret')
    closeSync(descriptor)
    const { stdout } = await runProcess(process.execPath, [program, 'stdin'], {}, 's3cret\n')
    expect(stdout).toBe(`octets ${hex('s3cret')}\n`)
  })
  it('the terminal, whatever stdin is; nothing is shown of it', async () => {
    const shown = await onTerminal('hunX\x7ft€r2\r')
    expect(shown).toContain('--secret: ')
    expect(shown).not.toContain('hun')
    expect(shown).toContain(`octets ${hex('hunt€r2')}`)
  })
  it.each(['\x03', 'half\x04'])('nobody who gives up at the terminal', async (keys) => {
    expect(await onTerminal(keys)).toContain('CliError given up')
  })
  it.each(['s3cret', 'literal:s3cret', 'fd:x', 'env:', 'file:', 'prompt:x', ''])('no argument: %s', async (source) => {
    const error = await read(source).catch((it: unknown) => it)
    expect(error).toMatchObject({ exitCode: 2 })
    expect(String(error)).not.toContain('s3cret')
  })
})
