import { createHmac } from 'node:crypto'
import { createHmacSigner } from '@hardbound/sigv4-hmac'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { startSwtpm } from '@hardbound/testkit/hardware'
import { openTpm, openTransport } from '@hardbound/tpm2'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { importTpmHmacKey, type OpenTpmHmacInit, openTpmHmac, parsePcrs, readTpmKeyName } from '../src/index.ts'
import { ask, CC, type Lab, PASSWORD, SECRET, startLab, WRONG } from './lab.ts'

const DAY = Buffer.from('20150830')
const RIGHT = createHmac('sha256', SECRET).update(DAY).digest('hex')
const PLAIN = 0x81010001
const LOCKED = 0x81010002

let lab: Lab
let plainAnswer: string
beforeAll(async () => {
  lab = await startLab()
  const common = { tpm: lab.proxy.address, secret: SECRET }
  plainAnswer = (await importTpmHmacKey({ ...common, persistentHandle: PLAIN })).knownAnswer
  await importTpmHmacKey({ ...common, keyAuth: PASSWORD, persistentHandle: LOCKED })
})
afterAll(() => lab.close())

const opened: HmacBackend[] = []
afterEach(async () => {
  lab.proxy.fault = () => undefined
  for (const backend of opened.splice(0)) await backend.close()
  expect(await lab.loaded()).toBe('') // nothing is left in the TPM, whatever happened
})
async function open(init: Partial<OpenTpmHmacInit> = {}): Promise<HmacBackend> {
  const backend = await openTpmHmac({ tpm: lab.proxy.address, key: { handle: PLAIN }, ...init })
  opened.push(backend)
  return backend
}
const tagOf = async (backend: HmacBackend) => Buffer.from(await backend.hmacSha256(DAY)).toString('hex')
const isCode = (code: string) => expect.objectContaining({ name: 'HmacBackendError', code })
/** That many commands went over the bus meanwhile. */
async function commands(work: () => Promise<unknown>): Promise<number> {
  const before = lab.proxy.exchanges.length
  await work()
  return lab.proxy.exchanges.length - before
}

describe('wrong password', () => {
  it('M03 counts once, and then does not touch the TPM', async () => {
    const backend = await open({ key: { handle: LOCKED }, keyAuth: PASSWORD })
    await lab.tool('tpm2_evictcontrol', '-C', 'o', '-c', '0x81010002')
    await importTpmHmacKey({ tpm: lab.proxy.address, secret: SECRET, keyAuth: WRONG, persistentHandle: LOCKED })
    const before = await lab.lockoutCounter()

    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => tagOf(backend)))
    expect(tries.map((it) => it.status === 'rejected' && it.reason)).toEqual(Array(20).fill(isCode('ERR_HMAC_DENIED')))
    expect(await commands(() => expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_DENIED')))).toBe(0)
    expect(await lab.lockoutCounter()).toBe(before + 1)
  })
  it('M03 is one try at open as well', async () => {
    const before = await lab.lockoutCounter()
    // It is the other one by now.
    await expect(open({ key: { handle: LOCKED }, keyAuth: PASSWORD })).rejects.toEqual(isCode('ERR_HMAC_DENIED'))
    expect(await lab.lockoutCounter()).toBe(before + 1)
    await lab.tool('tpm2_dictionarylockout', '--clear-lockout')
  })
  describe('M03 of a program that is started over and over', () => {
    const [right, wrong] = [
      { key: { handle: LOCKED }, keyAuth: WRONG },
      { key: { handle: LOCKED }, keyAuth: PASSWORD },
    ]
    const setMost = (tries: number) =>
      lab.tool('tpm2_dictionarylockout', '-s', '-n', `${tries}`, '-t', '1000', '-l', '1000')
    afterAll(() => setMost(3))
    afterEach(() => lab.tool('tpm2_dictionarylockout', '--clear-lockout'))

    it.each([
      [2, 1],
      [3, 2],
      [5, 4],
    ])('never locks a TPM that allows %i wrong passwords', async (most, tries) => {
      await setMost(most)
      for (let start = 1; start <= tries; start += 1) {
        expect(await tagOf(await open(right))).toBe(RIGHT) // as long as there is more than one try
        await expect(open(wrong)).rejects.toEqual(isCode('ERR_HMAC_DENIED'))
        expect(await lab.lockoutCounter()).toBe(start)
      }
      for (const init of [wrong, wrong, { key: { handle: LOCKED } }, right]) {
        await expect(open(init)).rejects.toEqual(isCode('ERR_HMAC_LOCKED'))
      }
      expect(await lab.lockoutCounter()).toBe(tries)
      await lab.tool('tpm2_dictionarylockout', '--clear-lockout')
      expect(await tagOf(await open(right))).toBe(RIGHT)
    })
    it('lets the right one through where there is only one try', async () => {
      await setMost(1)
      expect(await tagOf(await open(right))).toBe(RIGHT)
      await expect(open(wrong)).rejects.toEqual(isCode('ERR_HMAC_DENIED'))
      await expect(open(right)).rejects.toEqual(isCode('ERR_HMAC_LOCKED'))
    })
    it('tells a lockout that comes later apart', async () => {
      await setMost(3)
      const backend = await open(right)
      for (let tries = 0; tries < 3; tries += 1) {
        await lab.bareTool('tpm2_hmac', '-c', '0x81010002', '-p', 'x', '/dev/null').catch(() => undefined)
      }
      await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_LOCKED'))
      await lab.tool('tpm2_dictionarylockout', '--clear-lockout')
      expect(await tagOf(backend)).toBe(RIGHT)
    })
    it('asks for what counts alone, and at open alone', async () => {
      await setMost(2)
      await expect(open(wrong)).rejects.toEqual(isCode('ERR_HMAC_DENIED'))
      const init = { tpm: lab.proxy.address, secret: SECRET, keyAuth: PASSWORD }
      const { pem = '' } = await importTpmHmacKey({ ...init, noDictionaryAttackProtection: true })
      expect(await tagOf(await open({ key: { pem }, keyAuth: PASSWORD }))).toBe(RIGHT)
      await lab.tool('tpm2_dictionarylockout', '--clear-lockout')
      const backend = await open(right)
      expect(await commands(() => tagOf(backend))).toBe(1)
    })
    it('counts the password of a persistent parent as well', async () => {
      await setMost(2)
      await lab.bareTool('tpm2_createprimary', '-Q', '-C', 'o', '-G', 'ecc', '-p', 'parentpw', '-c', 'p.ctx')
      await lab.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', 'p.ctx', '0x8100000a')
      const parentAuth = Buffer.from('parentpw')
      const init = { tpm: lab.proxy.address, secret: SECRET, parent: 0x8100000a, noDictionaryAttackProtection: true }
      const { pem = '' } = await importTpmHmacKey({ ...init, parentAuth })
      expect(await tagOf(await open({ key: { pem }, parentAuth }))).toBe(RIGHT)
      await expect(open({ key: { pem }, parentAuth: WRONG })).rejects.toEqual(isCode('ERR_HMAC_DENIED'))
      for (const tried of [WRONG, parentAuth]) {
        await expect(open({ key: { pem }, parentAuth: tried })).rejects.toEqual(isCode('ERR_HMAC_LOCKED'))
      }
      expect(await lab.lockoutCounter()).toBe(1)
    })
  })
  it.each([
    ['TPM_RC_AUTH_FAIL, session 1', '98e', 'DENIED'],
    ['TPM_RC_BAD_AUTH, session 1', '9a2', 'DENIED'],
    ['TPM_RC_BAD_AUTH, handle 1', '1a2', 'DENIED'],
    ['TPM_RC_BAD_AUTH, nowhere', '0a2', 'DENIED'],
    ['TPM_RC_AUTH_FAIL, session 2', 'a8e', 'RESPONSE'],
    ['TPM_RC_BAD_AUTH, session 2', 'aa2', 'RESPONSE'],
    ['TPM_RC_BAD_AUTH, session 3', 'ba2', 'RESPONSE'],
    ['TPM_RC_BAD_AUTH, parameter 1', '1e2', 'RESPONSE'],
  ])('M03 is what the TPM says of the session that authorises: %s', async (_, rc, code) => {
    const backend = await open()
    lab.proxy.fault = ({ commandCode }) =>
      commandCode === CC.hmac ? { answer: Buffer.from(`80010000000a00000${rc}`, 'hex') } : undefined
    await expect(tagOf(backend)).rejects.toEqual(isCode(`ERR_HMAC_${code}`))
    lab.proxy.fault = () => undefined
    if (code === 'RESPONSE') expect(await tagOf(backend)).toBe(RIGHT)
    else await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_DENIED'))
  })
  it('M04 is not a command that was changed on its way, where another session than the authorising one tells', async () => {
    const key = 'ek-ecc'
    const sessionEncryption = { name: await readTpmKeyName({ tpm: lab.proxy.address, key }), key } as const
    const backend = await open({ sessionEncryption })
    const before = await lab.lockoutCounter()
    lab.proxy.fault = ({ command, commandCode }) =>
      commandCode === CC.hmac
        ? { command: Uint8Array.from(command, (it, at) => (at === command.length - 4 ? it ^ 1 : it)) }
        : undefined
    await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_RESPONSE'))
    lab.proxy.fault = () => undefined
    expect(await tagOf(backend)).toBe(RIGHT)
    expect(await lab.lockoutCounter()).toBe(before)
  })
  it('is told for the parent too', async () => {
    await lab.tool('tpm2_changeauth', '-c', 'owner', 'ownerpw')
    const tpm = lab.proxy.address
    await expect(importTpmHmacKey({ tpm, secret: SECRET })).rejects.toEqual(isCode('ERR_HMAC_DENIED'))
    const parentAuth = Buffer.from('ownerpw')
    const { pem = '' } = await importTpmHmacKey({ tpm, secret: SECRET, parentAuth })
    expect(await tagOf(await open({ key: { pem }, parentAuth }))).toBe(RIGHT)
    await lab.tool('tpm2_changeauth', '-c', 'owner', '-p', 'ownerpw')
  })
})

describe('PCRs', () => {
  it('M29 a change is final', async () => {
    const pcrs = parsePcrs('16')
    const { pem = '' } = await importTpmHmacKey({ tpm: lab.proxy.address, secret: SECRET, pcrs })
    const backend = await open({ key: { pem }, pcrs })
    await lab.tool('tpm2_pcrextend', `16:sha256=${'11'.repeat(32)}`)
    await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_POLICY'))
    expect(await commands(() => expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_POLICY')))).toBe(0)
    await expect(open({ key: { pem }, pcrs })).rejects.toEqual(isCode('ERR_HMAC_POLICY'))
    await lab.tool('tpm2_pcrreset', '16')
    expect(await tagOf(await open({ key: { pem }, pcrs }))).toBe(RIGHT)
  })
  it('goes on where another PCR changes between policy and use', async () => {
    const pcrs = parsePcrs('16')
    const { pem = '' } = await importTpmHmacKey({ tpm: lab.proxy.address, secret: SECRET, pcrs })
    const backend = await open({ key: { pem }, pcrs })
    let changed = false
    lab.proxy.fault = ({ commandCode }) => {
      if (commandCode !== CC.hmac || changed) return undefined
      changed = true
      return { answer: Buffer.from('80010000000a00000128', 'hex') } // TPM_RC_PCR_CHANGED
    }
    expect(await tagOf(backend)).toBe(RIGHT)
  })
})

describe('which key, which TPM', () => {
  it('M11 refuses keys that are not for HMAC-SHA-256, or not there', async () => {
    await lab.tool('tpm2_createprimary', '-Q', '-C', 'o', '-G', 'ecc', '-c', 'primary.ctx')
    await lab.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', 'primary.ctx', '0x81000009')
    const made = [
      ['0x81010011', '-G', 'hmac', '-g', 'sha512'],
      ['0x81010012', '-G', 'ecc'],
    ] as const
    for (const [handle, , kind, ...rest] of made) {
      const template = kind === 'hmac' ? ['-G', 'hmac:sha512'] : ['-G', 'ecc']
      await lab.tool('tpm2_create', '-Q', '-C', '0x81000009', ...template, ...rest, '-u', 'k.pub', '-r', 'k.priv')
      await lab.bareTool('tpm2_load', '-Q', '-C', '0x81000009', '-u', 'k.pub', '-r', 'k.priv', '-c', 'k.ctx')
      await lab.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', 'k.ctx', handle)
      await expect(open({ key: { handle: Number(handle) } })).rejects.toEqual(isCode('ERR_HMAC_KEY'))
    }
    await expect(open({ key: { handle: 0x81000009 } })).rejects.toEqual(isCode('ERR_HMAC_KEY'))
    await expect(open({ key: { handle: 0x8101ffff } })).rejects.toEqual(isCode('ERR_HMAC_KEY'))
    await expect(open({ key: { pem: 'nonsense' } })).rejects.toEqual(isCode('ERR_HMAC_KEY'))
  })
  it('refuses a key file of another TPM', async () => {
    const other = await startSwtpm()
    const { pem = '' } = await importTpmHmacKey({ tpm: other.address, secret: SECRET })
    await other.stop()
    await expect(open({ key: { pem } })).rejects.toEqual(isCode('ERR_HMAC_KEY'))
  })
  it('M15 another key after a reconnect is never used', async () => {
    await expect(open({ knownAnswer: '00'.repeat(16) })).rejects.toEqual(isCode('ERR_HMAC_KNOWN_ANSWER'))
    for (const knownAnswer of [plainAnswer, undefined]) {
      const backend = await open(knownAnswer === undefined ? {} : { knownAnswer })
      const init = { backend, accessKeyId: 'AKIAIOSFODNN7EXAMPLE', region: 'eu-west-1', service: 'sts' }
      const sign = () => createHmacSigner(init).sign({ url: 'https://example.com/' })
      await sign()
      await lab.tool('tpm2_evictcontrol', '-C', 'o', '-c', '0x81010001')
      const swap = { tpm: lab.proxy.address, persistentHandle: PLAIN }
      await importTpmHmacKey({ ...swap, secret: Buffer.from('another secret') })
      lab.proxy.fault = () => ({ drop: 'before' })
      await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_UNAVAILABLE'))
      lab.proxy.fault = () => undefined
      await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_KNOWN_ANSWER'))
      expect(await commands(() => expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_KNOWN_ANSWER')))).toBe(0)
      await expect(sign()).rejects.toEqual(isCode('ERR_HMAC_KNOWN_ANSWER')) // M22: nor is the key of the day that it gave
      await lab.tool('tpm2_evictcontrol', '-C', 'o', '-c', '0x81010001')
      await importTpmHmacKey({ ...swap, secret: SECRET })
    }
  })
  it('M19 the endorsement key of somebody in between is not the pinned one', async () => {
    const name = await readTpmKeyName({ tpm: lab.proxy.address, key: 'ek-ecc' })
    const sessionEncryption = { name, key: 'ek-ecc' } as const
    const backend = await open({ sessionEncryption })
    const theirs = await startSwtpm()
    lab.proxy.fault = ({ command, commandCode }) =>
      commandCode === CC.createPrimary ? { answer: ask(theirs.address, command) } : undefined
    await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_UNTRUSTED'))
    expect(await commands(() => expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_UNTRUSTED')))).toBe(0)
    await expect(open({ sessionEncryption })).rejects.toEqual(isCode('ERR_HMAC_UNTRUSTED'))
    await theirs.stop()
  })
  it('M19 the pinned name beside the public area of somebody in between gets no salt', async () => {
    const sessionEncryption = {
      name: await readTpmKeyName({ tpm: lab.proxy.address, key: 'srk-rsa' }),
      key: 'srk-rsa',
    } as const
    const theirs = await startSwtpm()
    lab.proxy.fault = ({ command, commandCode }) =>
      commandCode === CC.createPrimary
        ? {
            response: async (ours) => {
              const foreign = await ask(theirs.address, command)
              const area = foreign.subarray(18, 20 + foreign.readUInt16BE(18)) // after header, handle and size
              return Buffer.concat([ours.subarray(0, 18), area, ours.subarray(18 + area.length)])
            },
          }
        : undefined
    const from = lab.proxy.exchanges.length
    await expect(open({ sessionEncryption })).rejects.toEqual(isCode('ERR_HMAC_RESPONSE'))
    const seen = lab.proxy.exchanges.slice(from).map(({ commandCode }) => commandCode)
    expect([seen.includes(CC.createPrimary), seen.includes(CC.startAuthSession)]).toEqual([true, false])
    await theirs.stop()
  })
  it('M04 a changed response of an encrypted session is never a MAC', async () => {
    const sessionEncryption = {
      name: await readTpmKeyName({ tpm: lab.proxy.address, key: 'ek-ecc' }),
      key: 'ek-ecc',
    } as const
    const backend = await open({ sessionEncryption })
    for (const at of [12, 20, 60]) {
      lab.proxy.fault = ({ commandCode }) =>
        commandCode === CC.hmac
          ? { response: (it) => Uint8Array.from(it, (octet, index) => (index === at ? octet ^ 1 : octet)) }
          : undefined
      await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_RESPONSE'))
    }
    lab.proxy.fault = () => undefined
    expect(await tagOf(backend)).toBe(RIGHT)
  })
})

describe('a device that comes and goes', () => {
  it.each([
    ['has no room for anything', 0, 'ERR_HMAC_UNAVAILABLE'],
    ['answers nothing in time', 1_500, 'ERR_HMAC_TIMEOUT'],
  ])('M06 a TPM that %s keeps nobody', async (_, delay, code) => {
    const backend = await open({ timeoutMs: 500 })
    const full = Buffer.from('80010000000a00000902', 'hex')
    lab.proxy.fault = () => ({ answer: new Promise((resolve) => setTimeout(resolve, delay, full)) })
    const started = performance.now()
    const from = lab.proxy.exchanges.length
    await expect(tagOf(backend)).rejects.toEqual(isCode(code))
    await backend.close()
    expect(performance.now() - started).toBeLessThan(2_500)
    expect(lab.proxy.exchanges.length - from).toBeLessThan(5)
  })
  it('M06 a TPM that drips is given up at open when the time is over', async () => {
    lab.proxy.fault = () => ({ response: (it) => new Promise((resolve) => setTimeout(resolve, 150, it)) })
    const started = performance.now()
    await expect(open({ timeoutMs: 300 })).rejects.toEqual(isCode('ERR_HMAC_TIMEOUT'))
    expect(performance.now() - started).toBeLessThan(1_000)
  })
  it('M01 says that it is not there', async () => {
    const refused = expect.objectContaining({ code: 'ERR_HMAC_UNAVAILABLE', tryNextLink: true })
    await expect(open({ tpm: '/dev/nonexistent-tpm' })).rejects.toEqual(refused)
    await expect(open({ tpm: '/tmp' })).rejects.toEqual(refused)
    await expect(open({ tpm: `unix:${lab.folder}/nobody.sock` })).rejects.toEqual(refused)
  })
  it('M02 recovers from a TPM that was killed in the middle of a command', async () => {
    const backend = await open()
    lab.proxy.fault = ({ commandCode }) => {
      if (commandCode === CC.hmac) void lab.swtpm.kill()
      return commandCode === CC.hmac ? { drop: 'before' } : undefined
    }
    await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_UNAVAILABLE'))
    lab.proxy.fault = () => undefined
    await lab.swtpm.kill()
    await expect(tagOf(backend)).rejects.toEqual(isCode('ERR_HMAC_UNAVAILABLE'))
    await lab.swtpm.restart()
    expect(await tagOf(backend)).toBe(RIGHT)
  })
  it('M07 leaves nothing behind where a policy or a sequence breaks off', async () => {
    const pcrs = parsePcrs('16')
    const { pem = '' } = await importTpmHmacKey({ tpm: lab.proxy.address, secret: SECRET, pcrs })
    const backend = await open({ key: { pem }, pcrs })
    for (const broken of [CC.policyPcr, CC.hmac, CC.sequenceUpdate, CC.load]) {
      lab.proxy.fault = ({ commandCode }) =>
        commandCode === broken ? { answer: Buffer.from('80010000000a00000101', 'hex') } : undefined // TPM_RC_FAILURE
      await expect(backend.hmacSha256(broken === CC.sequenceUpdate ? Buffer.alloc(5000) : DAY)).rejects.toEqual(
        isCode('ERR_HMAC_UNAVAILABLE'),
      )
      expect(await lab.loaded()).toBe('')
    }
    lab.proxy.fault = () => undefined
    expect(await tagOf(backend)).toBe(RIGHT)
  })
  it('says that all slots are taken, and goes on when they are not', async () => {
    const { pem = '' } = await importTpmHmacKey({ tpm: lab.proxy.address, secret: SECRET })
    // Where nobody else may use the TPM, what others left in it would be flushed instead.
    const shared = async () => ({ ...(await openTransport(lab.proxy.address)), hasResourceManager: true })
    const tpm = await openTpm({ transport: shared })
    const backend = await open({ tpm, key: { pem } })
    for (let slot = 0; slot < 3; slot += 1) {
      await lab.bareTool('tpm2_createprimary', '-Q', '-C', 'n', '-G', 'ecc', '-c', 'full.ctx')
    }
    const full = { code: 'ERR_HMAC_UNAVAILABLE', cause: { code: 'ERR_TPM_SLOTS' } }
    await expect(tagOf(backend)).rejects.toMatchObject(full)
    await lab.bareTool('tpm2_flushcontext', '-t')
    expect(await tagOf(backend)).toBe(RIGHT)
    await backend.close()
    await tpm.close()
  })
})

describe('a queue', () => {
  it('M27 is bounded, in order, and has a deadline', async () => {
    const backend = await open({ maxWaiting: 20 })
    const done: number[] = []
    lab.proxy.fault = () => ({ response: (it) => new Promise((resolve) => setTimeout(resolve, 5, it)) })
    const all = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) => tagOf(backend).then((tag) => done.push(index) && tag)),
    )
    expect(all.slice(0, 21)).toEqual(Array(21).fill({ status: 'fulfilled', value: RIGHT }))
    expect(all.slice(21)).toEqual(Array(19).fill({ status: 'rejected', reason: isCode('ERR_HMAC_OVERLOADED') }))
    expect(done).toEqual(Array.from({ length: 21 }, (_, index) => index))

    const slow = await open({ timeoutMs: 500 })
    let goOn = () => {}
    lab.proxy.fault = () => ({ response: (it) => new Promise((resolve) => (goOn = () => resolve(it))) })
    await expect(tagOf(slow)).rejects.toEqual(isCode('ERR_HMAC_TIMEOUT'))
    goOn()
    lab.proxy.fault = () => undefined
    expect(await tagOf(slow)).toBe(RIGHT)
  })
  it('turns away who waits when it is closed', async () => {
    const backend = await open()
    const waiting = Promise.allSettled(Array.from({ length: 3 }, () => tagOf(backend)))
    await backend.close()
    for (const it of await waiting) expect(it).toMatchObject({ reason: isCode('ERR_HMAC_CLOSED') })
  })
  it('gives up for one caller in the middle', async () => {
    const backend = await open()
    const controller = new AbortController()
    lab.proxy.fault = () => {
      controller.abort()
      return undefined
    }
    await expect(backend.hmacSha256(DAY, { signal: controller.signal })).rejects.toEqual(isCode('ERR_HMAC_ABORTED'))
    expect(await tagOf(backend)).toBe(RIGHT)
  })
})

it('M08 leaves nothing in the TPM after 10,000 HMACs, 64 at a time', async () => {
  const direct = await startSwtpm()
  await importTpmHmacKey({ tpm: direct.address, secret: SECRET, persistentHandle: PLAIN })
  const backend = await openTpmHmac({ tpm: direct.address, key: { handle: PLAIN } })
  for (let round = 0; round < 10_000 / 64; round += 1) {
    expect(new Set(await Promise.all(Array.from({ length: 64 }, () => tagOf(backend))))).toEqual(new Set([RIGHT]))
  }
  await backend.close()
  const capability = (first: string) => `800100000016 0000017a 00000001 ${first} 00000010`.replaceAll(' ', '')
  for (const first of ['80000000', '02000000', '03000000']) {
    const answer = await ask(direct.address, Buffer.from(capability(first), 'hex'))
    expect(answer.subarray(10).toString('hex')).toBe('000000000100000000') // no more, TPM_CAP_HANDLES, none
  }
  await direct.stop()
}, 60_000)
