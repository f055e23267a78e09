import { createHmac } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attribute, booleanAttribute, findObject, findObjects, loadModule, openToken } from '@hardbound/pkcs11'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { importPkcs11HmacKey, openPkcs11Hmac } from '../src/index.ts'
import { faults, KEY, rejection } from './helpers.ts'

let softHsm: TestSoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm()
  softHsm.activate()
})
afterEach(() => faults.reset())
afterAll(() => softHsm.remove())

const put = (label: string, init = {}) =>
  importPkcs11HmacKey({ uri: softHsm.uri(label), secret: KEY, addon: faults.addon, ...init })

async function count(label: string): Promise<number> {
  const token = await openToken({ uri: softHsm.uri() })
  const found = await token.withSession((session) => findObjects(session, { object: label }).length)
  await token.close()
  return found
}

describe('importPkcs11HmacKey', () => {
  it('puts in a key that signs and does nothing else, and never comes out', async () => {
    const { uri, knownAnswer } = await put('locked')
    expect(uri).toContain(`serial=${softHsm.serial}`)
    expect(knownAnswer).toBe(createHmac('sha256', KEY).update('hardbound/known-answer/v1').digest('hex').slice(0, 32))
    const token = await openToken({ uri: softHsm.uri() })
    await token.withSession((session) => {
      const key = findObject(session, { object: 'locked' })
      const flags = Object.fromEntries(
        Object.entries({
          token: 0x1,
          private: 0x2,
          sensitive: 0x103,
          encrypt: 0x104,
          decrypt: 0x105,
          wrap: 0x106,
          unwrap: 0x107,
          sign: 0x108,
          verify: 0x10a,
          derive: 0x10c,
          extractable: 0x162,
        }).map(([name, type]) => [name, booleanAttribute(session, key, type)]),
      )
      const no = { encrypt: false, decrypt: false, wrap: false, unwrap: false, verify: false, derive: false }
      expect(flags).toEqual({ token: true, private: true, sensitive: true, sign: true, extractable: false, ...no })
      expect(attribute(session, key, 0x11)).toBeUndefined() // CKA_VALUE
    })
    await token.close()
  })

  it.each(['generic-secret', 'sha256-hmac'] as const)('makes a %s that pkcs11-tool signs with', async (keyType) => {
    await put(`tool-${keyType}`, { keyType })
    const [input, output] = [join(softHsm.folder, 'message'), join(softHsm.folder, 'tag')]
    await writeFile(input, '20150830')
    const key = ['--label', `tool-${keyType}`, '--input-file', input, '--output-file', output]
    await softHsm.tool('--sign', '--mechanism', 'SHA256-HMAC', ...key)
    const { readFile } = await import('node:fs/promises')
    expect(await readFile(output, 'hex')).toBe(createHmac('sha256', KEY).update('20150830').digest('hex'))
  })

  it('gives what opens the key again', async () => {
    const { uri, knownAnswer } = await put('again', { uri: softHsm.uri('again').replace('?', ';id=%01?') })
    const backend = await openPkcs11Hmac({ uri, knownAnswer })
    expect(await backend.hmacSha256(KEY)).toHaveLength(32)
    await backend.close()
  })

  it('has no PIN in the URI that it gives', async () => {
    const { uri } = await put('pin', { uri: softHsm.uri('pin').replace(/pin-source=.*/, `pin-value=${softHsm.pin}`) })
    expect(uri).not.toContain('pin-value')
  })

  it('refuses a label or an id that is in use', async () => {
    await put('used', { uri: softHsm.uri('used').replace('?', ';id=%02?') })
    for (const uri of [softHsm.uri('used'), softHsm.uri('new').replace('?', ';id=%02?')]) {
      await expect(put('', { uri })).rejects.toMatchObject({
        code: 'ERR_HMAC_KEY',
        message: expect.stringContaining('in use'),
      })
    }
    expect(await count('used')).toBe(1)
    expect(await count('new')).toBe(0)
  })

  it('leaves nothing behind where the key does not answer as it should', async () => {
    faults.replace('C_SignAsync', async () => Buffer.alloc(32))
    await expect(put('bad')).rejects.toMatchObject({ code: 'ERR_HMAC_KNOWN_ANSWER' })
    expect(await count('bad')).toBe(0)
  })

  it('leaves nothing behind where the token ignores what was asked for', async () => {
    faults.replace('C_GetAttributeValue', (real, session, object, template) => {
      const [asked] = template as { type: number }[]
      return asked?.type === 0x162 ? [{ type: 0x162, value: Buffer.of(1) }] : real(session, object, template)
    })
    await expect(put('loose')).rejects.toMatchObject({ code: 'ERR_HMAC_KEY' })
    expect(await count('loose')).toBe(0)
  })

  it('says so where it can not take the key back', async () => {
    faults.replace('C_SignAsync', async () => Buffer.alloc(32))
    faults.fail('C_DestroyObject', 0x5)
    await expect(put('stuck')).rejects.toMatchObject({ message: expect.stringContaining('could not be removed') })
  })

  it('M27 leaves nothing behind where the check takes longer than it may', async () => {
    faults.replace('C_SignAsync', async (real, ...args) => {
      await new Promise((resolve) => setTimeout(resolve, 150))
      return real(...args)
    })
    const error = await rejection(put('slow', { timeoutMs: 100 }))
    expect(error).toMatchObject({
      code: 'ERR_HMAC_TIMEOUT',
      message: 'pkcs11: the check of the imported key took too long',
    })
    expect(await count('slow')).toBe(0)
  })

  it('M27 says so where the slow check fails and the key can not be taken back', async () => {
    faults.replace('C_SignAsync', async () => {
      await new Promise((resolve) => setTimeout(resolve, 150))
      return Buffer.alloc(32)
    })
    faults.fail('C_DestroyObject', 0x6)
    await expect(put('slow-stuck', { timeoutMs: 100 })).rejects.toMatchObject({
      message: expect.stringContaining('could not be removed'),
    })
  })

  it('M27 says that the key may be there while the token hangs, and takes it back if that ends', async () => {
    let back = (): void => {}
    faults.replace('C_SignAsync', (real, ...args) => new Promise((done) => (back = () => done(real(...args)))))
    const removed = new Promise<void>((resolve) =>
      faults.replace('C_DestroyObject', (real, ...args) => {
        real(...args)
        resolve()
      }),
    )
    const error = await rejection(put('hung', { timeoutMs: 20 }))
    expect(error).toMatchObject({
      code: 'ERR_HMAC_TIMEOUT',
      message: expect.stringContaining('a key with label "hung"'),
    })
    back()
    await removed
    expect(await count('hung')).toBe(0)
    const module = loadModule({ modulePath: softHsm.modulePath }) // left running under the call
    module.cryptoki.C_Finalize()
    module.close()
  })

  it('passes on that a key is too short for the token', async () => {
    const error = { code: 'ERR_HMAC_KEY', message: expect.stringContaining('CKR_KEY_SIZE_RANGE') }
    await expect(put('short', { secret: Buffer.alloc(16, 1) })).rejects.toMatchObject(error)
    expect(await count('short')).toBe(0)
  })

  it('wipes its copy of the secret, and leaves the original alone', async () => {
    let given: Buffer | undefined
    const secret = Buffer.from(KEY)
    faults.replace('C_CreateObject', (real, session, template) => {
      given = (template as { type: number; value: Buffer }[]).find((it) => it.type === 0x11)?.value
      expect(given?.equals(KEY)).toBe(true)
      return real(session, template)
    })
    await put('wiped', { secret })
    expect(given?.every((it) => it === 0)).toBe(true)
    expect(secret.equals(KEY)).toBe(true)
  })
})
