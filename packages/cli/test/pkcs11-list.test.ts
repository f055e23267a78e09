import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { COMMAND, hardbound, makeFolder, runProcess, USER } from './helpers.ts'

let softHsm: TestSoftHsm
beforeAll(async () => {
  const value = Buffer.from(`AWS4${USER.secretAccessKey}`)
  softHsm = await createSoftHsm({
    keys: [
      { label: 'aws', id: '0a01', value },
      { label: 'open', value, sensitive: false, extractable: true },
    ],
  })
  await softHsm.addToken('other')
})
afterAll(() => softHsm.remove())

const run = (...args: string[]) => hardbound(['pkcs11', 'list', ...args], { env: softHsm.env })
const module = () => `pkcs11:?module-path=${softHsm.modulePath}`

describe('hardbound pkcs11 list', () => {
  it('lists tokens without a PIN, by way of p11-kit', async () => {
    const { code, stdout, stderr } = await run()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [head, ...rows] = stdout.trim().split('\n')
    expect(head).toMatch(/^TOKEN +SERIAL +MANUFACTURER +MODEL +PIN$/)
    expect(rows.sort()).toEqual([
      expect.stringMatching(new RegExp(`^hardbound  ${softHsm.serial} +SoftHSM project +SoftHSM v2 +ok$`)),
      expect.stringMatching(/^other /),
    ])
  })

  it("M14 has p11-kit read no user's configuration, which could name any module", async () => {
    const folder = await makeFolder()
    const [marker, source, library] = ['loaded', 'evil.c', 'evil.so'].map((it) => join(folder.path, it))
    await mkdir(join(folder.path, 'pkcs11', 'modules'), { recursive: true })
    await writeFile(join(folder.path, 'pkcs11', 'modules', 'evil.module'), `module: ${library}\n`)
    const code = '#include <fcntl.h>\n__attribute__((constructor)) static void f(void) { open(MARKER, O_CREAT, 0600); }'
    await writeFile(source!, code)
    await promisify(execFile)('cc', ['-shared', '-fPIC', '-w', `-DMARKER="${marker}"`, '-o', library!, source!])
    // p11-kit never reads root's.
    const as = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
    await promisify(execFile)('chmod', ['-R', 'a+rwX', folder.path])
    const run = async (...command: string[]) => {
      const [file = '', ...args] = [...as, ...command]
      const { code, stderr } = await runProcess(file, args, {
        PATH: process.env.PATH ?? '',
        XDG_CONFIG_HOME: folder.path,
      })
      return { code, stderr, loaded: existsSync(marker!) }
    }
    expect(await run(process.execPath, COMMAND, 'pkcs11', 'list')).toEqual({ code: 0, stderr: '', loaded: false })
    expect(await run('p11-kit', 'list-modules')).toMatchObject({ loaded: true }) // it would have
    await folder.remove()
  })

  it('lists what matches, as JSON', async () => {
    const { stdout } = await run('--json', '--uri', module().replace('?', 'token=other?'))
    expect(JSON.parse(stdout)).toEqual({ tokens: [expect.objectContaining({ token: 'other', pin: 'ok' })] })
    const none = await run('--uri', module().replace('?', 'token=none?'))
    expect(none).toEqual({ code: 0, stdout: 'no token is there\n', stderr: '' })
  })

  it('lists keys with a PIN, and says why one can not be used', async () => {
    const { code, stdout } = await run('--uri', softHsm.uri())
    expect(code).toBe(0)
    const lines = stdout.trim().split('\n')
    expect(lines).toContainEqual(expect.stringMatching(/^KEY +ID +FOR HMAC$/))
    expect(lines).toContainEqual(expect.stringMatching(/^aws +0a01 +usable$/))
    expect(lines).toContainEqual(expect.stringMatching(/^open +no: its value can be read/))
    const json = await run(
      '--uri',
      `${module().replace('?', 'token=hardbound;object=aws?')}`,
      '--pin',
      `file:${softHsm.pinFile}`,
      '--json',
    )
    expect(JSON.parse(json.stdout)).toMatchObject({
      keys: [
        { label: 'aws', id: '0a01', usable: true, uri: expect.stringContaining(';object=aws;id=%0A%01?module-path=') },
      ],
    })
  })

  it.each([
    ['two tokens for one PIN', () => ['--uri', module(), '--pin', `file:${softHsm.pinFile}`], 1, 'ERR_HMAC_KEY'],
    ['a module from elsewhere', () => ['--uri', 'pkcs11:?module-path=/tmp/x.so'], 1, 'ERR_PKCS11_MODULE'],
    ['a URI that is none', () => ['--uri', 'x'], 2, 'pkcs11:'],
  ])('refuses %s', async (_, args, code, why) => {
    const outcome = await run(...args())
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(why)
  })
})
