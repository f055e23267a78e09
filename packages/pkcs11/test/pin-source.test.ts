import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Pkcs11Error, readPinSource } from '../src/index.ts'
import { rejection } from './helpers.ts'

const read = async (source: string) => readPinSource(source)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hardbound-pin-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function pinFile(name: string, text: string | Uint8Array, mode = 0o600): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text)
  await chmod(file, mode)
  return file
}

describe('readPinSource', () => {
  it.each([
    ['1234', '1234'],
    ['1234\n', '1234'],
    ['1234\r\n', '1234'],
    [' 12 34 \n\n', ' 12 34 \n'],
    ['pässwörd\n', 'pässwörd'],
  ])('reads %j', async (text, pin) => {
    const file = await pinFile('pin', text)
    expect(readPinSource(`file:${file}`)).toBe(pin)
    expect(readPinSource(pathToFileURL(file).href)).toBe(pin)
    expect(readPinSource(file)).toBe(pin)
  })

  it('M13 follows a link to a file that is private', async () => {
    const file = await pinFile('target', '1234')
    await symlink(file, join(folder, 'link'))
    expect(readPinSource(join(folder, 'link'))).toBe('1234')
  })

  it.each([
    ['a group', 0o640],
    ['everybody', 0o604],
    ['everybody to write', 0o602],
  ])('M13 refuses a file that is open to %s', async (_, mode) => {
    const error = await rejection<Pkcs11Error>(read(await pinFile(`open-${mode}`, 'secret-pin', mode)))
    expect(error).toMatchObject({ code: 'ERR_PKCS11_PIN', message: expect.stringContaining('chmod 600') })
    expect(error.message).not.toContain('secret-pin')
  })

  it('M13 refuses what is no file, empty, too long or not text', async () => {
    execFileSync('mkfifo', ['-m', '600', join(folder, 'fifo')])
    const files = [
      await pinFile('empty', '\n'),
      await pinFile('long', 'x'.repeat(1025)),
      await pinFile('binary', Uint8Array.of(0xff)),
      join(folder, 'fifo'),
      join(folder, 'absent'),
      folder,
    ]
    for (const file of files) expect((await rejection<Pkcs11Error>(read(file))).code).toBe('ERR_PKCS11_PIN')
  })

  it.each(['|/usr/lib/pinomatic', 'relative', 'file:relative', 'file://host/pin', 'https://example.com/pin', ''])(
    'M13 refuses %j',
    async (source) => {
      await expect(read(source)).rejects.toMatchObject({ code: 'ERR_PKCS11_PIN' })
    },
  )

  if (process.getuid?.() === 0) {
    it("M13 refuses another user's file", async () => {
      const file = await pinFile('theirs', '1234')
      await chown(file, 65534, 65534)
      await expect(read(file)).rejects.toThrow('another user')
    })
  }
})
