import { createHmac } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPkcs11Faults, createSoftHsm, type TestSoftHsm } from '../src/hardware.ts'

const KEY = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')

describe('createSoftHsm', () => {
  let softHsm: TestSoftHsm
  beforeAll(async () => {
    softHsm = await createSoftHsm({ tokenLabel: 'my token', keys: [{ label: 'aws', id: '0a', value: KEY }] })
  })
  afterAll(() => softHsm.remove())

  it('makes a token with a key that signs', async () => {
    const [input, output] = [join(softHsm.folder, 'message'), join(softHsm.folder, 'tag')]
    await writeFile(input, '20150830')
    const files = ['--input-file', input, '--output-file', output]
    await softHsm.tool('--sign', '--mechanism', 'SHA256-HMAC', '--id', '0a', ...files)
    expect(await readFile(output, 'hex')).toBe(createHmac('sha256', KEY).update('20150830').digest('hex'))
  })

  it('names it', async () => {
    expect(softHsm.serial).toMatch(/^[0-9a-f]{16}$/)
    expect(softHsm.uri('a b')).toBe(
      `pkcs11:token=my%20token;object=a%20b?module-path=${softHsm.modulePath}&pin-source=file:${softHsm.pinFile}`,
    )
    expect(await readFile(softHsm.pinFile, 'utf8')).toBe('1234\n')
    expect((await stat(softHsm.pinFile)).mode & 0o777).toBe(0o600)
  })

  it('takes tokens out and puts them back', async () => {
    await softHsm.removeToken()
    await expect(softHsm.tool('--list-objects')).rejects.toThrow()
    await softHsm.restoreToken()
    expect(await softHsm.tool('--list-objects')).toContain('aws')
  })

  it('leaves nothing behind', async () => {
    const other = await createSoftHsm()
    await other.remove()
    expect(existsSync(other.folder)).toBe(false)
  })
})

describe('createPkcs11Faults', () => {
  class Addon {
    C_Own = () => 'own'
    C_OwnAsync = async () => 'async'
    C_Inherited() {
      return 'inherited'
    }
  }
  const faults = createPkcs11Faults({ PKCS11: Addon, Pkcs11Error: Error })
  const module = new faults.addon.PKCS11()

  it('passes calls on, and notes them', async () => {
    expect([module.C_Own(), module.C_Inherited(), await module.C_OwnAsync()]).toEqual(['own', 'inherited', 'async'])
    expect(faults.calls).toEqual(['C_Own', 'C_Inherited', 'C_OwnAsync'])
  })

  it('fails as often as told, thrown or rejected as the function would', async () => {
    faults.fail('C_Own', 0x30)
    faults.fail('C_OwnAsync', 0x30)
    expect(() => module.C_Own()).toThrow('CKR_INJECTED:48')
    await expect(module.C_OwnAsync()).rejects.toThrow('CKR_INJECTED:48')
    expect(module.C_Own()).toBe('own')
  })

  it('answers in its place until reset', () => {
    faults.replace('C_Inherited', (real) => `not ${String(real())}`)
    expect(module.C_Inherited()).toBe('not inherited')
    faults.reset()
    expect(module.C_Inherited()).toBe('inherited')
  })
})
