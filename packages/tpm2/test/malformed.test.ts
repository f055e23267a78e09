import { createHash, createHmac } from 'node:crypto'
import { beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  create,
  createPrimary,
  getCapability,
  hmac,
  hmacKeyTemplate,
  importKey,
  type LoadedObject,
  load,
  pcrRead,
  policyGetDigest,
  readPublic,
  sign,
  startAuthSession,
  unseal,
} from '../src/commands.ts'
import { decodePublic, encodePublic, TEMPLATES, type Tpm, Tpm2Error, type TpmTransport } from '../src/index.ts'
import { AuthSession } from '../src/internal/auth-session.ts'
import { Connection } from '../src/internal/connection.ts'
import { prepareCommand } from '../src/internal/prepare-command.ts'
import { HMAC_KEY, hex, loadHmacKey, startBench, unhex } from './helpers.ts'

/** A TPM that gives one answer to everything. */
function answering(answer: Uint8Array): Tpm {
  const transport: TpmTransport = {
    description: 'a test',
    hasResourceManager: true,
    transmit: () => Promise.resolve(answer),
    close: () => Promise.resolve(),
  }
  return new Connection(transport, 1, { commandTimeoutMs: 1_000, maxRetries: 0 })
}

const key = { handle: 0x80000001, name: unhex(`000b${'11'.repeat(32)}`) }
const message = Buffer.from('20260822')
const policySession = new AuthSession({
  handle: 0x03000000,
  kind: 'policy',
  hash: 'sha256',
  cipher: undefined,
  sessionKey: new Uint8Array(),
  nonceTpm: new Uint8Array(32),
  bound: undefined,
  connection: 1,
})
const saltless = {
  kind: 'hmac',
  hash: 'sha256',
  nonceCaller: new Uint8Array(32),
  encryptedSalt: new Uint8Array(),
} as const

/** Each command once, and the code by which its genuine answer is found. */
const calls: Record<string, { code: number; call: (tpm: Tpm) => Promise<unknown> }> = {
  createPrimary: { code: 0x131, call: (tpm) => createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' }) },
  create: {
    code: 0x153,
    call: (tpm) => create(tpm, { parent: key, template: hmacKeyTemplate({ attributes: HMAC_KEY }) }),
  },
  load: { code: 0x157, call: (tpm) => load(tpm, { parent: key, ...genuineKey }) },
  hmac: { code: 0x155, call: (tpm) => hmac(tpm, { key, message }) },
  sign: { code: 0x15d, call: (tpm) => sign(tpm, { key, digest: new Uint8Array(32), scheme: 'hmac' }) },
  readPublic: { code: 0x173, call: (tpm) => readPublic(tpm, { handle: key }) },
  getCapability: {
    code: 0x17a,
    call: (tpm) => getCapability(tpm, { capability: 'tpmProperties', from: 0x105, max: 3 }),
  },
  pcrRead: { code: 0x17e, call: (tpm) => pcrRead(tpm, [{ hash: 'sha256', pcrs: [0, 7] }]) },
  policyGetDigest: { code: 0x189, call: (tpm) => policyGetDigest(tpm, policySession) },
  startAuthSession: { code: 0x176, call: (tpm) => startAuthSession(tpm, { ...saltless, cipher: undefined }) },
}
const genuine = new Map<number, Uint8Array>()
let genuineKey: { public: ReturnType<typeof decodePublic>; private: Uint8Array }

beforeAll(async () => {
  const bench = await startBench()
  await bench.tpm.exclusively(async (tpm) => {
    const { parent, key: loaded } = await loadHmacKey(tpm)
    genuineKey = { public: loaded.public, private: new Uint8Array(2) }
    await hmac(tpm, { key: loaded, message })
    await sign(tpm, { key: loaded, digest: new Uint8Array(32), scheme: 'hmac' })
    await readPublic(tpm, { handle: parent })
    await calls.getCapability!.call(tpm)
    await calls.pcrRead!.call(tpm)
    const { handle } = await startAuthSession(tpm, { ...saltless, kind: 'policy', cipher: undefined })
    await tpm.execute({ command: 'TPM2_PolicyGetDigest', handles: [handle], parameters: new Uint8Array() })
  })
  for (const { commandCode, response } of bench.proxy.exchanges) genuine.set(commandCode, Uint8Array.from(response))
  await bench.stop()
})

const answerOf = (name: string): Uint8Array => genuine.get(calls[name]!.code)!.slice()
const outcome = (name: string, answer: Uint8Array): Promise<unknown> =>
  calls[name]!.call(answering(answer)).catch((error: unknown) => error)
/** The same octets, with the header's size made to fit. */
function resized(answer: Uint8Array): Uint8Array {
  const bytes = Buffer.from(answer)
  bytes.writeUInt32BE(bytes.length, 2)
  return Uint8Array.from(bytes)
}

describe.each(Object.keys(calls))('M04 an answer to %s', (name) => {
  it('as the TPM gave it is taken', async () => {
    expect(await outcome(name, answerOf(name))).not.toBeInstanceOf(Error)
  })

  it('cut at each octet, with and without its size made to fit', async () => {
    const whole = answerOf(name)
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.slice(0, length)
      const all = length < 10 ? [cut] : [cut, resized(cut)]
      for (const it of all) expect(await outcome(name, it)).toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    }
  })

  it('with octets too many, another size, another tag, no body, handle 0', async () => {
    const whole = answerOf(name)
    const bad: Uint8Array[] = [
      Buffer.concat([whole, Buffer.alloc(1)]),
      resized(Buffer.concat([whole, Buffer.alloc(1)])),
    ]
    for (const size of [0, 9, whole.length - 1, whole.length + 1, 0xffffffff]) {
      const it = Buffer.from(whole)
      it.writeUInt32BE(size, 2)
      bad.push(it)
    }
    for (const tag of [0, 0x8001, 0x8002, 0x00c4, 0xffff]) {
      const it = Buffer.from(whole)
      if (it.readUInt16BE(0) === tag) continue
      it.writeUInt16BE(tag, 0)
      bad.push(it)
    }
    bad.push(unhex('80010000000a00000000'), unhex('80020000000a00000000'))
    bad.push(resized(unhex(`8001000000000000018b00`)), resized(unhex(`8002000000000000018b`)))
    for (const it of bad) expect(await outcome(name, it)).toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    if (!['createPrimary', 'load', 'startAuthSession'].includes(name)) return
    for (const handle of [0, 1, 0x40000001, 0x81000001, 0xffffffff]) {
      const it = Buffer.from(whole)
      it.writeUInt32BE(handle, 10)
      expect(await outcome(name, it)).toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    }
  })

  it('changed at random: an answer or a Tpm2Error, nothing else', async () => {
    const whole = answerOf(name)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(0, 0, -1, 1, 7),
        async (changes, longer) => {
          const it = Buffer.concat([whole, Buffer.alloc(Math.max(longer, 0))]).subarray(0, whole.length + longer)
          for (const [at, octet] of changes) if (at < it.length) it[at] = octet
          const result = await outcome(name, it)
          if (result instanceof Error) expect(result).toBeInstanceOf(Tpm2Error)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('M04', () => {
  it.each([0, 1, 31, 33, 64])('a tag of %i octets is none', async (length) => {
    const body = Buffer.concat([Buffer.from([0, length]), Buffer.alloc(length, 1)])
    const parameters = Buffer.concat([Buffer.alloc(4), body, Buffer.from([0, 0, 1, 0, 0])])
    parameters.writeUInt32BE(body.length)
    const answer = resized(Buffer.concat([unhex('80020000000000000000'), parameters]))
    await expect(hmac(answering(answer), { key, message })).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    const signed = Buffer.from(answerOf('sign'))
    const short = resized(
      Buffer.concat([signed.subarray(0, 14 + 4), Buffer.alloc(length, 1), Buffer.from([0, 0, 1, 0, 0])]),
    )
    short.set([0, 0, 0, 4 + length], 10)
    if (length !== 32) {
      await expect(sign(answering(short), { key, digest: new Uint8Array(32), scheme: 'hmac' })).rejects.toMatchObject({
        code: 'ERR_TPM_RESPONSE',
      })
    }
  })

  it('an empty capability list, one that goes in circles, one that never ends', async () => {
    const list = (more: number, ids: number[]): Uint8Array => {
      const body = Buffer.alloc(9 + 8 * ids.length)
      body.writeUInt8(more, 0)
      body.writeUInt32BE(6, 1)
      body.writeUInt32BE(ids.length, 5)
      for (const [at, id] of ids.entries()) body.writeUInt32BE(id, 9 + 8 * at)
      return resized(Buffer.concat([unhex('80010000000000000000'), body]))
    }
    const read = (answer: Uint8Array): Promise<unknown> =>
      getCapability(answering(answer), { capability: 'tpmProperties', from: 0x100 })
    expect(await read(list(0, []))).toEqual([])
    for (const bad of [
      list(1, []),
      list(2, [0x100]),
      list(1, [0x100]),
      list(0, [0x101, 0x100]),
      list(0, [0x100, 0x100]),
    ]) {
      await expect(read(bad)).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    }
  })

  it.each(['createPrimary', 'readPublic', 'load'])('M19 the true name and a foreign public area: %s', async (name) => {
    const answer = answerOf(name)
    const { public: area, name: trueName } = (await outcome(name, answer)) as LoadedObject
    const changed = Buffer.from(name === 'load' ? trueName : encodePublic(area))
    const end = Buffer.from(answer).indexOf(changed) + changed.length
    answer[end - 1]! ^= 1 // of `unique`, and for load, which has no public area in its answer, of the name
    expect(await outcome(name, answer)).toMatchObject({
      code: 'ERR_TPM_RESPONSE',
      message: expect.stringContaining('the name is not that of the public area'),
    })
  })

  it('an import or unsealing without a body', async () => {
    const empty = resized(unhex(`800200000000${'00'.repeat(8)}0000010000`))
    const wrapped = { public: genuineKey.public, duplicate: new Uint8Array(2), seed: new Uint8Array(2) }
    await expect(importKey(answering(empty), { parent: key, ...wrapped })).rejects.toMatchObject({
      code: 'ERR_TPM_RESPONSE',
    })
    await expect(unseal(answering(empty), { object: key })).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
  })

  it('100,000 changes to an answer that a session protects: never a tag', () => {
    const sessionKey = new Uint8Array(32).fill(7)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(121), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(0, 0, 0, -1, 1),
        (changes, longer) => {
          const session = new AuthSession({
            handle: 0x02000000,
            kind: 'hmac',
            hash: 'sha256',
            cipher: undefined,
            sessionKey,
            nonceTpm: new Uint8Array(32).fill(1),
            bound: undefined,
            connection: 1,
          })
          const parameters = Buffer.concat([Buffer.from([0, 8]), message, Buffer.from([0, 0x0b])])
          const prepared = prepareCommand({ command: 'TPM2_HMAC', handles: [key], auths: [session], parameters })
          const answer = genuineAnswer(sessionKey, prepared.bytes)
          const it = Buffer.concat([answer, Buffer.alloc(Math.max(longer, 0))]).subarray(0, answer.length + longer)
          for (const [at, mask] of changes) if (at < it.length) it[at]! ^= mask
          if (it.equals(answer)) return
          try {
            // The code of a failure is not protected, but brings no tag.
            if (!('rc' in prepared.accept(it))) throw new Error('a changed answer was taken')
          } catch (error) {
            if (!(error instanceof Tpm2Error) || error.code !== 'ERR_TPM_RESPONSE') throw error
          }
        },
      ),
      { numRuns: 100_000 },
    )
  }, 120_000)

  /** What the TPM's end computes, written down a second time (Part 1 §19.6). */
  function genuineAnswer(sessionKey: Uint8Array, command: Uint8Array): Buffer {
    const nonceCaller = command.subarray(10 + 4 + 4 + 4 + 2, 10 + 4 + 4 + 4 + 2 + 32)
    const nonceTpm = Buffer.alloc(32, 2)
    const parameters = Buffer.concat([Buffer.from([0, 32]), Buffer.alloc(32, 9)])
    const rpHash = createHash('sha256').update(Buffer.from('0000000000000155', 'hex')).update(parameters).digest()
    const mac = createHmac('sha256', sessionKey).update(
      Buffer.concat([rpHash, nonceTpm, nonceCaller, Buffer.from([1])]),
    )
    const auth = Buffer.concat([Buffer.from([0, 32]), nonceTpm, Buffer.from([1, 0, 32]), mac.digest()])
    const size = Buffer.from([0, 0, 0, parameters.length])
    return Buffer.from(resized(Buffer.concat([unhex('80020000000000000000'), size, parameters, auth])))
  }
})

describe('decodePublic', () => {
  it.each(Object.values(TEMPLATES))('gives back what was encoded: $type', (area) => {
    expect(decodePublic(encodePublic(area))).toEqual(area)
    expect(hex(encodePublic(decodePublic(encodePublic(area))))).toBe(hex(encodePublic(area)))
  })

  it.each([
    { ...TEMPLATES['h1-rsa'], scheme: { scheme: 'rsaes' } },
    { ...TEMPLATES['h1-rsa'], scheme: { scheme: 'rsapss', hash: 'sha384' } },
    { ...TEMPLATES['h2-ecc'], scheme: { scheme: 'ecdaa', hash: 'sha256', count: 3 }, curve: 'p384' },
    { ...hmacKeyTemplate({ attributes: HMAC_KEY }), scheme: { scheme: 'xor', hash: 'sha1', kdf: 0x22 } },
    {
      type: 'symcipher',
      nameAlg: 'sha512',
      attributes: ['decrypt', 'sign'],
      authPolicy: new Uint8Array(64),
      symmetric: { algorithm: 'camellia', keyBits: 256, mode: 'ctr' },
      unique: new Uint8Array(64),
    },
  ] as const)('knows other schemes', (area) => {
    expect(decodePublic(encodePublic(area))).toEqual(area)
  })

  it('decodes to what encodes to the same octets, or refuses', () => {
    const whole = encodePublic(TEMPLATES['srk-ecc'])
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const changed = whole.slice()
        changed[at] = octet
        try {
          expect(hex(encodePublic(decodePublic(changed)))).toBe(hex(changed))
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_TPM_RESPONSE' })
        }
      }),
      { numRuns: 10_000 },
    )
  })
})
