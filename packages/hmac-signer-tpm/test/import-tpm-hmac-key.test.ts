import { createHmac } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodePublic } from '@hardbound/tpm2'
import { readKeyFile } from '@hardbound/tpm2/key-file'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { importTpmHmacKey, type OpenTpmHmacInit, openTpmHmac, parsePcrs, readTpmKeyName } from '../src/index.ts'
import { CC, type Lab, PASSWORD, SECRET, startLab } from './lab.ts'

const DAY = Buffer.from('20150830')
const RIGHT = createHmac('sha256', SECRET).update(DAY).digest('hex')
const FREE = ['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'] // those of H-2

let lab: Lab
let tpm: string
beforeAll(async () => {
  lab = await startLab()
  tpm = lab.proxy.address
  await writeFile(join(lab.folder, 'secret'), SECRET)
  await writeFile(join(lab.folder, 'day'), DAY)
  await lab.tool('tpm2_createprimary', '-Q', '-C', 'o', '-G', 'ecc', ...FREE, '-c', 'h2.ctx')
  await lab.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', 'h2.ctx', '0x81000001')
})
afterAll(() => lab.close())

async function tagBy(init: Omit<OpenTpmHmacInit, 'tpm'>): Promise<string> {
  const backend = await openTpmHmac({ tpm, ...init })
  const tag = await backend.hmacSha256(DAY)
  await backend.close()
  return Buffer.from(tag).toString('hex')
}

describe('keys of tpm2-tools, used by us', () => {
  const parts = ['-u', 'k.pub', '-r', 'k.priv']

  it.each([
    ['its context', 'h2.ctx', []],
    ['a persistent handle', '0x81000001', ['-p']],
  ])('tpm2_import -G hmac, tpm2_encodeobject with %s as the parent', async (_, parent, flags) => {
    await lab.tool('tpm2_import', '-Q', '-C', parent, '-G', 'hmac', '-i', 'secret', ...parts)
    await lab.tool('tpm2_encodeobject', '-Q', '-C', parent, ...flags, ...parts, '-o', 'k.pem')
    const pem = await readFile(join(lab.folder, 'k.pem'), 'utf8')
    expect(await tagBy({ key: { pem } })).toBe(RIGHT)
  })
  it('tpm2_import with a password, tpm2_evictcontrol', async () => {
    await lab.tool('tpm2_import', '-Q', '-C', '0x81000001', '-G', 'hmac', '-i', 'secret', '-p', `${PASSWORD}`, ...parts)
    await lab.bareTool('tpm2_load', '-Q', '-C', '0x81000001', ...parts, '-c', 'k.ctx')
    await lab.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', 'k.ctx', '0x81010020')
    expect(await tagBy({ key: { handle: 0x81010020 }, keyAuth: PASSWORD })).toBe(RIGHT)
  })
  it('tpm2_import with a PCR policy', async () => {
    await lab.tool('tpm2_startauthsession', '-Q', '-S', 'trial.ctx')
    await lab.tool('tpm2_policypcr', '-Q', '-S', 'trial.ctx', '-l', 'sha256:0,7+sha1:1', '-L', 'pcr.policy')
    await lab.tool('tpm2_flushcontext', 'trial.ctx')
    await lab.tool(
      'tpm2_import',
      '-Q',
      '-C',
      '0x81000001',
      '-G',
      'hmac',
      '-i',
      'secret',
      '-L',
      'pcr.policy',
      '-a',
      'sign',
      ...parts,
    )
    await lab.tool('tpm2_encodeobject', '-Q', '-C', '0x81000001', ...parts, '-o', 'k.pem')
    const pem = await readFile(join(lab.folder, 'k.pem'), 'utf8')
    expect(await tagBy({ key: { pem }, pcrs: parsePcrs('sha256:0,7+sha1:1') })).toBe(RIGHT)
  })
})

describe('keys of ours, used by tpm2-tools', () => {
  const hmac = async (...key: string[]) => (await lab.tool('tpm2_hmac', '-g', 'sha256', '--hex', ...key, 'day')).trim()

  it('a persistent handle with a password', async () => {
    const made = await importTpmHmacKey({ tpm, secret: SECRET, keyAuth: PASSWORD, persistentHandle: 0x81010030 })
    expect(made).toMatchObject({ handle: 0x81010030 })
    expect(made).not.toHaveProperty('pem')
    expect(await hmac('-c', '0x81010030', '-p', `${PASSWORD}`)).toBe(RIGHT)
    expect(await lab.tool('tpm2_readpublic', '-c', '0x81010030')).toContain(`name: ${made.name}`)
  })
  it('a key file, whose parts tpm2_load takes', async () => {
    const { pem = '' } = await importTpmHmacKey({
      tpm,
      secret: SECRET,
      parent: 0x81000001,
      description: 'of example.com',
    })
    const file = readKeyFile(pem)
    expect(file).toMatchObject({ parent: 0x81000001, emptyAuth: true, description: 'of example.com' })
    await writeFile(join(lab.folder, 'ours.pub'), file.public)
    await writeFile(join(lab.folder, 'ours.priv'), file.private)
    await lab.bareTool('tpm2_load', '-Q', '-C', '0x81000001', '-u', 'ours.pub', '-r', 'ours.priv', '-c', 'ours.ctx')
    expect(await hmac('-c', 'ours.ctx')).toBe(RIGHT)
  })
  it('a key file under the H-2 primary', async () => {
    const { pem = '' } = await importTpmHmacKey({ tpm, secret: SECRET })
    const file = readKeyFile(pem)
    expect(file.parent).toBe(0x40000001)
    await writeFile(join(lab.folder, 'ours.pub'), file.public)
    await writeFile(join(lab.folder, 'ours.priv'), file.private)
    await lab.bareTool('tpm2_load', '-Q', '-C', 'h2.ctx', '-u', 'ours.pub', '-r', 'ours.priv', '-c', 'ours.ctx')
    expect(await hmac('-c', 'ours.ctx')).toBe(RIGHT)
  })
})

describe('importTpmHmacKey', () => {
  it('makes keys that sign and never leave', async () => {
    const attributes = async (init: object) => {
      const { pem = '' } = await importTpmHmacKey({ tpm, secret: SECRET, ...init })
      return [...decodePublic(readKeyFile(pem).public).attributes]
    }
    expect(await attributes({})).toEqual(['fixedTPM', 'fixedParent', 'userWithAuth', 'sign'])
    expect(await attributes({ noDictionaryAttackProtection: true })).toContain('noDA')
    const pcrs = parsePcrs('16')
    expect(await attributes({ pcrs })).toEqual(['fixedTPM', 'fixedParent', 'adminWithPolicy', 'sign'])
  })
  describe('M15 a key that does not answer as it should', () => {
    const persistentHandle = 0x81010040
    const seen = (code: number) => lab.proxy.exchanges.filter(({ commandCode }) => commandCode === code).length
    const handles = () => lab.tool('tpm2_getcap', 'handles-persistent')
    /** From so many HMACs and EvictControls on, they fail. */
    function failFrom(hmacs: number, evictions: number): void {
      lab.proxy.exchanges.length = 0
      lab.proxy.fault = ({ commandCode }) => {
        if (commandCode === CC.evictControl && seen(CC.evictControl) > evictions) {
          return { answer: Buffer.from('80010000000a00000101', 'hex') } // TPM_RC_FAILURE
        }
        if (commandCode !== CC.hmac || seen(CC.hmac) <= hmacs) return undefined
        return { response: (it) => Uint8Array.from(it, (octet, at) => (at === 20 ? octet ^ 1 : octet)) }
      }
    }
    afterEach(() => {
      lab.proxy.fault = () => undefined
    })

    it('is not kept', async () => {
      failFrom(0, 0)
      const making = importTpmHmacKey({ tpm, secret: SECRET, persistentHandle })
      await expect(making).rejects.toMatchObject({ code: 'ERR_HMAC_KNOWN_ANSWER' })
      expect(seen(CC.evictControl)).toBe(0)
    })
    it('at its handle is removed from there', async () => {
      failFrom(1, 9)
      const making = importTpmHmacKey({ tpm, secret: SECRET, persistentHandle })
      await expect(making).rejects.toMatchObject({ code: 'ERR_HMAC_KNOWN_ANSWER' })
      expect(seen(CC.evictControl)).toBe(2)
      expect(await handles()).not.toContain('0x81010040')
    })
    it('and can not be removed is named', async () => {
      failFrom(1, 1)
      const error = await importTpmHmacKey({ tpm, secret: SECRET, persistentHandle }).catch((it: unknown) => it)
      expect(error).toMatchObject({
        code: 'ERR_HMAC_KNOWN_ANSWER',
        message: expect.stringContaining('the key is still at 0x81010040'),
        cause: { code: 'ERR_HMAC_KNOWN_ANSWER' },
      })
      lab.proxy.fault = () => undefined
      expect(await handles()).toContain('0x81010040')
      await lab.tool('tpm2_evictcontrol', '-C', 'o', '-c', '0x81010040')
    })
    it.each([true, false])(
      'M04 bound to PCRs by somebody in between, is not kept (encrypted: %s)',
      async (encrypted) => {
        const key = 'ek-ecc'
        const sessionEncryption = { name: await readTpmKeyName({ tpm, key }), key } as const
        lab.proxy.exchanges.length = 0
        lab.proxy.fault = ({ commandCode }) =>
          commandCode === CC.pcrRead
            ? { response: (it) => Uint8Array.from(it, (octet, at) => (at === 40 ? octet ^ 1 : octet)) }
            : undefined
        const init = { tpm, secret: SECRET, persistentHandle, pcrs: parsePcrs('16') }
        const making = importTpmHmacKey({ ...init, ...(encrypted && { sessionEncryption }) })
        await expect(making).rejects.toMatchObject({ code: encrypted ? 'ERR_HMAC_RESPONSE' : 'ERR_HMAC_POLICY' })
        expect([seen(CC.pcrRead), seen(CC.create), seen(CC.evictControl)]).toEqual([1, encrypted ? 0 : 1, 0])
      },
    )
  })
  it('does not take a handle that is taken', async () => {
    const making = importTpmHmacKey({ tpm, secret: SECRET, persistentHandle: 0x81000001 })
    await expect(making).rejects.toMatchObject({ code: 'ERR_HMAC_KEY' })
    expect(await lab.tool('tpm2_getcap', 'handles-persistent')).toContain('0x81000001')
  })
  it.each([
    ['an empty secret', { secret: new Uint8Array() }, TypeError],
    ['a secret longer than a block', { secret: new Uint8Array(65) }, TypeError],
    ['a handle that is not for owners', { persistentHandle: 0x81800000 }, RangeError],
    ['a parent that is none', { parent: 0x40000001 }, RangeError],
    ['two parents', { parent: 0x81000001, useEkParent: true }, TypeError],
  ])('refuses %s before it looks for a TPM', async (_, part, type) => {
    await expect(importTpmHmacKey({ tpm: 'unix:/nonexistent', secret: SECRET, ...part })).rejects.toThrow(type)
  })
})

it('readTpmKeyName gives what tpm2-tools show', async () => {
  const shown = async (handle: string) => /name: (\w+)/.exec(await lab.tool('tpm2_readpublic', '-c', handle))?.[1]
  expect(await readTpmKeyName({ tpm, key: 0x81000001 })).toBe(await shown('0x81000001'))
  await lab.tool('tpm2_createek', '-c', '0x81010060', '-G', 'rsa', '-u', 'ek.pub')
  expect(await readTpmKeyName({ tpm })).toBe(await shown('0x81010060'))
})
