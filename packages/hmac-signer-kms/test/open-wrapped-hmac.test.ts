import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { describeHmacBackend } from '@hardbound/testkit/hmac-backend'
import { afterEach, describe, expect, it } from '@jest/globals'
import { formatEnvelope } from '../src/envelope.ts'
import type { KeyWrapper } from '../src/key-unwrapper.ts'
import { type OpenWrappedHmacInit, openWrappedHmac } from '../src/open-wrapped-hmac.ts'
import { wrapSecret } from '../src/wrap-secret.ts'
import {
  answerOf,
  awsKms,
  DAY,
  errorOf,
  googleKms,
  hex,
  KEY,
  signsWithoutAsking,
  signWith,
  tagOf,
  textOf,
} from './helpers.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close()
})

const wrong = (code: string) => expect.objectContaining({ name: 'HmacBackendError', code })

/** Both services, and what to call there. */
const SERVICES = {
  'AWS KMS': async () => {
    const { kms, unwrap } = await awsKms()
    return { kms, unwrap }
  },
  'Cloud KMS': async () => {
    const { kms, unwrap } = await googleKms()
    return { kms, unwrap }
  },
}

for (const [name, start] of Object.entries(SERVICES)) {
  describeHmacBackend(name, async (key) => {
    const { kms, unwrap } = await start()
    const envelope = await wrapSecret({ wrap: unwrap(), key })
    const backend = await openWrappedHmac({ unwrap: unwrap(), envelope: formatEnvelope(envelope) })
    const close = async () => {
      await backend.close()
      await kms.close()
    }
    return { name: backend.name, hmacSha256: backend.hmacSha256, close }
  })

  describe(`openWrappedHmac with ${name}`, () => {
    it('unwraps each time, and only once for callers that arrive together', async () => {
      const { kms, unwrap } = await start()
      open.push(kms)
      const envelope = await wrapSecret({ wrap: unwrap(), key: KEY })
      const backend = await openWrappedHmac({ unwrap: unwrap(), envelope })
      open.push(backend)
      expect(backend.name).toBe('kms')
      kms.calls.length = 0
      expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
      expect(kms.calls).toHaveLength(1)
      await Promise.all(Array.from({ length: 50 }, () => backend.hmacSha256(DAY)))
      expect(kms.calls).toHaveLength(2)
    })

    it('has no octets of the key in the envelope', async () => {
      const { kms, unwrap } = await start()
      open.push(kms)
      const text = formatEnvelope(await wrapSecret({ wrap: unwrap(), key: KEY }))
      const { ciphertext } = JSON.parse(text) as { ciphertext: string }
      expect(Buffer.from(ciphertext, 'base64').includes(KEY.subarray(4))).toBe(false)
      expect(text).not.toContain(KEY.toString('utf8', 4))
    })

    it('M26 5 s latency', async () => {
      const { kms, unwrap } = await start()
      open.push(kms)
      const envelope = await wrapSecret({ wrap: unwrap(), key: KEY })
      const backend = await openWrappedHmac({ unwrap: unwrap(), envelope, timeoutMs: 300 })
      open.push(backend)
      kms.delayMs = 5000
      await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_TIMEOUT'))
    })
  })
}

/** A KMS in memory, to look at what passes through. */
interface ScriptedKms extends KeyWrapper {
  asked: number
  closed: number
  readonly given: Uint8Array[]
  answer(ciphertext: Uint8Array): Promise<Uint8Array>
}

function scriptedKms(): ScriptedKms {
  const given: Uint8Array[] = []
  const kms: ScriptedKms = {
    kms: 'scripted',
    keyId: 'key/1',
    context: {},
    asked: 0,
    given,
    closed: 0,
    answer: (ciphertext: Uint8Array): Promise<Uint8Array> => Promise.resolve(ciphertext.map((it) => it ^ 0xff)),
    async unwrap(ciphertext: Uint8Array) {
      kms.asked += 1
      const octets = await kms.answer(ciphertext)
      given.push(octets)
      return octets
    },
    wrap: (plaintext: Uint8Array) => Promise.resolve(plaintext.map((it) => it ^ 0xff)),
    close() {
      kms.closed += 1
      return Promise.resolve()
    },
  }
  return kms
}

async function scripted(init: Partial<OpenWrappedHmacInit> = {}) {
  const kms = scriptedKms()
  const envelope = await wrapSecret({ wrap: kms, key: KEY })
  kms.asked = 0
  kms.given.length = 0
  const openIt = async (more: Partial<OpenWrappedHmacInit> = {}): Promise<HmacBackend> => {
    const backend = await openWrappedHmac({ unwrap: kms, envelope, ...init, ...more })
    open.push(backend)
    return backend
  }
  return { kms, envelope, openIt }
}

describe('M26 what stays in memory', () => {
  it('nothing: the key is wiped after each HMAC', async () => {
    const { kms, openIt } = await scripted()
    const backend = await openIt()
    await backend.hmacSha256(DAY)
    expect(kms.asked).toBe(2)
    expect(kms.given.map(hex)).toEqual([hex(new Uint8Array(44)), hex(new Uint8Array(44))])
  })

  it('M26 as long as the policy says, and the KMS is not asked meanwhile, whatever has become of the key', async () => {
    let nowMs = 0
    const { kms, openIt } = await scripted({ cache: { maxAgeSeconds: 60 }, clock: () => nowMs })
    const backend = await openIt()
    kms.answer = () => Promise.reject(new TypeError('the key is disabled'))
    nowMs = 59_999
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    expect(kms.asked).toBe(1)
    nowMs = 60_000
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_RESPONSE'))
    expect(hex(kms.given[0]!)).toBe(hex(new Uint8Array(44)))
  })

  it('M26 as often as the policy says; the look at open counts', async () => {
    const { kms, openIt } = await scripted({ cache: { maxUses: 3 } })
    const backend = await openIt()
    for (let call = 0; call < 5; call++) await backend.hmacSha256(DAY)
    expect(kms.asked).toBe(2)
  })

  it('is wiped on close', async () => {
    const { kms, openIt } = await scripted({ cache: { maxAgeSeconds: 60 } })
    const backend = await openIt()
    expect(hex(kms.given[0]!)).toBe(KEY.toString('hex'))
    await backend.close()
    await backend.close()
    expect(hex(kms.given[0]!)).toBe(hex(new Uint8Array(44)))
    expect(kms.closed).toBe(1)
  })

  it('is wiped when its time is over though nobody asks', async () => {
    const { kms, openIt } = await scripted({ cache: { maxAgeSeconds: 1 } })
    await openIt()
    const [octets] = kms.given
    for (let tries = 0; octets![0] !== 0 && tries < 500; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(hex(octets!)).toBe(hex(new Uint8Array(44)))
  })

  it('is wiped when it comes after the deadline', async () => {
    const { kms, openIt } = await scripted({ timeoutMs: 50 })
    const backend = await openIt()
    let late = (_: Uint8Array): void => {}
    kms.answer = () => new Promise((resolve) => (late = resolve))
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_TIMEOUT'))
    const octets = Uint8Array.from(KEY)
    late(octets)
    await new Promise(setImmediate)
    expect(hex(octets)).toBe(hex(new Uint8Array(44)))
  })

  it('is wiped when it comes after close', async () => {
    const { kms, openIt } = await scripted()
    const backend = await openIt()
    let late = (_: Uint8Array): void => {}
    kms.answer = () => new Promise((resolve) => (late = resolve))
    const call = backend.hmacSha256(DAY)
    await backend.close()
    await expect(call).rejects.toEqual(wrong('ERR_HMAC_CLOSED'))
    const octets = Uint8Array.from(KEY)
    late(octets)
    await new Promise(setImmediate)
    expect(hex(octets)).toBe(hex(new Uint8Array(44)))
  })

  it('a caller that gives up does not take the answer from others', async () => {
    const { kms, openIt } = await scripted()
    const backend = await openIt()
    const controller = new AbortController()
    const [gone, stays] = [backend.hmacSha256(DAY, { signal: controller.signal }), backend.hmacSha256(DAY)]
    controller.abort()
    await expect(gone).rejects.toEqual(wrong('ERR_HMAC_ABORTED'))
    expect(hex(await stays)).toBe(tagOf(KEY, DAY))
    expect(kms.asked).toBe(2)
  })

  it('a failure is not kept', async () => {
    const { kms, openIt } = await scripted({ cache: { maxAgeSeconds: 60, maxUses: 1 } })
    const backend = await openIt()
    const { answer } = kms
    kms.answer = () => Promise.reject(new Error('throttled'))
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_RESPONSE'))
    kms.answer = answer
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  })

  it('M27 more callers than may wait', async () => {
    const { kms, openIt } = await scripted({ maxWaiting: 10 })
    const backend = await openIt()
    const { answer } = kms
    kms.answer = async (ciphertext) => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return answer(ciphertext)
    }
    const calls = await Promise.allSettled(Array.from({ length: 200 }, () => backend.hmacSha256(DAY)))
    const codes = calls.map((it) => (it.status === 'fulfilled' ? 'ok' : (it.reason as { code: string }).code))
    expect(codes).toEqual([...Array<string>(11).fill('ok'), ...Array<string>(189).fill('ERR_HMAC_OVERLOADED')])
  })
})

describe('which key it is', () => {
  it('M15 the envelope has another key than was enrolled', async () => {
    const { envelope, openIt } = await scripted()
    await expect(openIt({ knownAnswer: '0'.repeat(32) })).rejects.toEqual(wrong('ERR_HMAC_KNOWN_ANSWER'))
    const other = { ...envelope, knownAnswer: answerOf(Buffer.from('other')) }
    await expect(openIt({ envelope: other })).rejects.toEqual(wrong('ERR_HMAC_KNOWN_ANSWER'))
    await expect(openIt({ knownAnswer: answerOf(KEY) })).resolves.toBeDefined()
  })

  it('M15 another key comes back later', async () => {
    const { kms, openIt } = await scripted()
    const backend = await openIt()
    const other = Uint8Array.from(KEY).fill(7)
    kms.answer = () => Promise.resolve(other)
    const error = await errorOf(backend.hmacSha256(DAY))
    expect(error).toEqual(wrong('ERR_HMAC_KNOWN_ANSWER'))
    expect(hex(other)).toBe(hex(new Uint8Array(44)))
    expect(textOf(error)).not.toContain(tagOf(other, DAY))
  })

  it('M22 forgets all signing keys when it is closed, and when another key comes back', async () => {
    const { kms, openIt } = await scripted()
    for (const end of [
      (it: HmacBackend) => it.close(),
      (it: HmacBackend) => {
        kms.answer = () => Promise.resolve(Uint8Array.from(KEY).fill(7))
        return expect(it.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_KNOWN_ANSWER'))
      },
    ]) {
      const backend = await openIt()
      await signsWithoutAsking(backend)
      await end(backend)
      await expect(signWith(backend)).rejects.toEqual(expect.objectContaining({ name: 'HmacBackendError' }))
    }
  })

  it.each([[{ kms: 'aws-kms' }], [{ keyId: 'key/2' }], [{ context: { purpose: 'other' } }]])(
    'the envelope was made for %j',
    async (part) => {
      const { kms, envelope, openIt } = await scripted()
      await expect(openIt({ envelope: { ...envelope, ...part } })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
      expect(kms.asked).toBe(0)
    },
  )

  it.each([
    [{ knownAnswer: 'ABC' }, '"knownAnswer"'],
    [{ timeoutMs: 0.5 }, '"timeoutMs"'],
    [{ maxWaiting: Number.NaN }, '"maxWaiting"'],
    [{ cache: { maxAgeSeconds: 0 } }, '"cache.maxAgeSeconds"'],
    [{ cache: { maxAgeSeconds: 86_401 } }, '"cache.maxAgeSeconds"'],
    [{ cache: { maxUses: 0 } }, '"cache.maxUses"'],
  ])('refuses %j', async (init, message) => {
    const { kms, openIt } = await scripted()
    await expect(openIt(init)).rejects.toThrow(message)
    expect(kms.asked).toBe(0)
  })
})

describe('wrapSecret', () => {
  it('notes what the key answers, and wipes its copies', async () => {
    const kms = scriptedKms()
    const key = Uint8Array.from(KEY)
    expect(await wrapSecret({ wrap: kms, key })).toMatchObject({ kms: 'scripted', knownAnswer: answerOf(KEY) })
    expect(hex(key)).toBe(KEY.toString('hex'))
    expect(hex(kms.given[0]!)).toBe(hex(new Uint8Array(44)))
  })

  it('makes sure that the key comes back', async () => {
    const kms = scriptedKms()
    kms.answer = () => Promise.resolve(new Uint8Array(44))
    await expect(wrapSecret({ wrap: kms, key: KEY })).rejects.toEqual(wrong('ERR_HMAC_RESPONSE'))
  })

  it('refuses keys that are none', async () => {
    const kms = scriptedKms()
    await expect(wrapSecret({ wrap: kms, key: new Uint8Array() })).rejects.toThrow('"key" must have')
    await expect(wrapSecret({ wrap: kms, key: new Uint8Array(1025) })).rejects.toThrow('"key" must have')
  })
})
