import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { tpmCheck } from '../src/doctor/tpm-check.ts'
import { refused } from '../src/doctor/tpm-permission.ts'
import { contextOf, lines } from './doctor-context.ts'
import { type Folder, makeFolder } from './helpers.ts'

let swtpm: TestSwtpm
let folder: Folder
beforeAll(async () => {
  ;[swtpm, folder] = await Promise.all([startSwtpm(), makeFolder()])
})
afterAll(() => Promise.all([swtpm.stop(), folder.remove()]))

const check = async (tpm: string) => tpmCheck(contextOf({ tpm }))
const at = (name: string) => join(folder.path, name)
const tool = async (name: string, ...args: string[]) =>
  (await promisify(execFile)(name, args, { env: { ...process.env, TPM2TOOLS_TCTI: swtpm.tpm2ToolsTcti } })).stdout

describe('tpmCheck', () => {
  it('asks who it is, and leaves what others have in it', async () => {
    await tool('tpm2_createprimary', '-C', 'o', '-c', at('primary'), '-p', 'right')
    const before = await tool('tpm2_getcap', 'handles-transient')
    const expected = [expect.stringMatching(/^ok: unix:\/.*\/tpm\.sock answers: IBM, firmware \d+\.\d+$/)]
    expect(lines(await check(swtpm.address))).toEqual(expected)
    expect(await tool('tpm2_getcap', 'handles-transient')).toBe(before)
  })

  it('M03 counts wrong passwords, and says when it is locked', async () => {
    await tool('tpm2_dictionarylockout', '-s', '-n', '2', '-t', '1000', '-l', '1000')
    const wrong = () =>
      tool('tpm2_create', '-C', at('primary'), '-P', 'wrong', '-u', at('u'), '-r', at('r')).catch(() => '')
    await wrong()
    const [, warning] = await check(swtpm.address)
    expect(warning).toMatchObject({ status: 'warning', cure: expect.stringContaining('1000 s') })
    expect(warning?.message).toBe('the TPM has counted 1 wrong passwords; at 2 it takes none any more')
    await wrong()
    const [, problem] = await check(swtpm.address)
    expect(problem).toMatchObject({ status: 'problem', message: expect.stringContaining('is locked') })
    await tool('tpm2_dictionarylockout', '--clear-lockout')
    expect(await check(swtpm.address)).toHaveLength(1)
  })

  it.each([
    ['a file', 'file', 'is not a character device'],
    ['nothing', 'none', 'does not exist'],
  ])('M01 takes nothing else for a device: %s', async (_, name, expected) => {
    await folder.write('file', '')
    expect(lines(await check(at(name)))).toEqual([`problem: ${at(name)} ${expected}`])
  })

  it('finds none on a machine that has none, and a problem with an address that is none', async () => {
    expect(await check('unix:/nonexistent/sock')).toMatchObject([{ status: 'problem' }])
    expect(await check('elsewhere')).toMatchObject([{ status: 'problem', message: expect.stringContaining('/dev/') }])
  })

  it('does not wait for one that says nothing', async () => {
    const sockets = new Set<{ destroy(): void }>()
    const server = createServer((socket) => void sockets.add(socket.on('error', () => {})))
    await new Promise<void>((resolve) => server.listen(at('silent'), resolve))
    expect(await check(`unix:${at('silent')}`)).toMatchObject([{ status: 'problem' }])
    for (const it of sockets) it.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  it.each<[number, number, number[], string]>([
    [0o20660, 107, [1000], 'sudo usermod -aG tss $USER'],
    [0o20600, 107, [1000], 'tpm-udev'],
    [0o20660, 0, [1000], 'tpm-udev'],
    [0o20660, 107, [1000, 107], 'SELinux'],
  ])('says who may open a device: mode %i, group %i', (mode, gid, mine, cure) => {
    const finding = refused('/dev/tpmrm0', { mode, gid }, 'tss', mine)
    expect(finding).toMatchObject({ status: 'problem', cure: expect.stringContaining(cure) })
    expect(finding.message).toMatch(/\(mode 06[06]0, group tss\)$/)
  })
})
