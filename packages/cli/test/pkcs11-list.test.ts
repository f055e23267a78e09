import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hardbound, USER } from './helpers.ts'

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
