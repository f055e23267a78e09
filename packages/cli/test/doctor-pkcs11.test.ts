import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { isolated } from '../src/doctor/isolate.ts'
import { pkcs11Check } from '../src/doctor/pkcs11-check.ts'
import { contextOf, lines } from './doctor-context.ts'
import { type Folder, makeFolder } from './helpers.ts'

const PROCESS = fileURLToPath(new URL('../dist/doctor/probe-process.js', import.meta.url))
let softHsm: TestSoftHsm
let folder: Folder
beforeAll(async () => {
  ;[softHsm, folder] = await Promise.all([createSoftHsm(), makeFolder()])
  softHsm.activate()
})
afterAll(() => Promise.all([softHsm.remove(), folder.remove()]))

const check = async (...modules: string[]) => pkcs11Check(contextOf({ modules }))

/** A module that does something as it is loaded. */
async function compile(name: string, code: string): Promise<string> {
  const source = await folder.write(`${name}.c`, `__attribute__((constructor)) static void f(void) { ${code} }`)
  const library = join(folder.path, `${name}.so`)
  await promisify(execFile)('cc', ['-shared', '-fPIC', '-w', '-o', library, source])
  return library
}

describe('pkcs11Check', () => {
  it('shows tokens of p11-kit and of named modules, and lists others without loading them', async () => {
    const [first, second, installed, ...more] = lines(await check(softHsm.modulePath))
    expect(first).toBe(`ok: p11-kit: token "hardbound", serial ${softHsm.serial}`)
    expect(second).toBe(`ok: ${softHsm.modulePath}: token "hardbound", serial ${softHsm.serial}`)
    expect(installed).toMatch(/^ok: modules that are installed \(not loaded here.*libsofthsm2\.so/)
    expect(more).toEqual([])
  })

  it('M16 sees that a wrong PIN was given, without logging in', async () => {
    await promisify(execFile)('pkcs11-tool', ['--module', softHsm.modulePath, '--login', '--pin', 'wrong', '-O'], {
      env: { ...process.env, ...softHsm.env },
    }).catch(() => '')
    const [, token] = await check(softHsm.modulePath)
    expect(token).toMatchObject({ status: 'warning', cure: expect.stringContaining('--retry-pin') })
    expect(token?.message).toContain('was given a wrong PIN')
    await softHsm.tool('-O')
    expect((await check(softHsm.modulePath))[1]).toMatchObject({ status: 'ok' })
  })

  it('M14 says why a module is not loaded', async () => {
    const file = await folder.write('none.so', 'text')
    const [, problem] = await check(file)
    expect(problem).toMatchObject({ status: 'problem', message: expect.stringContaining('is not loaded') })
  })

  it.each([
    ['hangs', 'for (;;) sleep(1);', 'does not answer within 3 s'],
    ['crashes', 'abort();', 'crashed the process that looked at it (SIGABRT)'],
    ['is none, and talks', 'puts("hunter2");', "can't be loaded as a PKCS #11 module"],
  ])('M28 outlives a module that %s, and says so', async (name, code, expected) => {
    const module = await compile(name.slice(0, 4), code)
    const findings = await isolated(PROCESS, 3_000)('pkcs11-module', { path: module })
    expect(lines(findings)).toEqual([expect.stringMatching(/^problem: /)])
    expect(findings[0]?.message).toContain(module)
    expect(findings[0]?.message).toContain(expected)
  })

  it('M28 leaves no process behind that hangs, even where its parent is gone', async () => {
    const path = await compile('left', 'for (;;) sleep(1);')
    const child = fork(PROCESS, ['500'], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
    child.send({ probe: 'pkcs11-module', input: { path } })
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
  })

  it('works in the process of its own', async () => {
    const findings = await isolated(PROCESS, 8_000)('pkcs11-module', { path: softHsm.modulePath })
    expect(findings).toMatchObject([{ check: 'pkcs11', status: 'ok' }])
  })

  it('says so where no process can be started', async () => {
    const findings = await isolated(join(folder.path, 'none.js'), 8_000)('tpm', { address: 'unix:/x' })
    expect(lines(findings)).toEqual([expect.stringMatching(/^problem: unix:\/x /)])
  })
})
