import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { createHmacSigner } from '../src/create-hmac-signer.ts'
import type { HmacBackend } from '../src/hmac-backend.ts'
import { deriveSigningKey, SigningKey } from '../src/signing-key.ts'
import { createSigningKeys, signingKeysOf } from '../src/signing-keys.ts'
import { softwareHmac } from '../src/software-backend.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const NOON = Date.parse('2015-08-30T12:36:00Z')
const SCOPE = '20150830/us-east-1/iam'
const hmac = (key: string | Uint8Array, message: string | Uint8Array) =>
  createHmac('sha256', key).update(message).digest()

function backend() {
  const asked: string[] = []
  const hmacSha256 = jest.fn((message: Uint8Array) => {
    asked.push(Buffer.from(message).toString())
    return Promise.resolve<Uint8Array>(hmac(`AWS4${SECRET}`, message))
  })
  return { asked, hmacSha256, name: 'test', close: () => Promise.resolve() } satisfies HmacBackend & { asked: string[] }
}

afterEach(() => {
  jest.useRealTimers()
})

describe('deriveSigningKey', () => {
  it('derives the key that AWS documents', () => {
    // https://docs.aws.amazon.com/general/latest/gr/signature-v4-examples.html (derivation of the signing key)
    const expected = 'f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d'
    const kDate = hmac('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', '20120215')
    expect(deriveSigningKey(kDate, 'us-east-1', 'iam').sign('x')).toBe(
      hmac(Buffer.from(expected, 'hex'), 'x').toString('hex'),
    )
  })

  it('M22 zeroes what it derives from', () => {
    const kDate = hmac('key', '20150830')
    deriveSigningKey(kDate, 'us-east-1', 'iam')
    expect(kDate.every((octet) => octet === 0)).toBe(true)
  })
})

describe('SigningKey', () => {
  it.each([0, 1, 63, 64, 65, 138, 512])('is HMAC-SHA-256 over %d characters', (length) => {
    const key = hmac('k', String(length))
    const text = 'abc'.repeat(200).slice(0, length)
    const signing = new SigningKey(key)
    expect(signing.sign(text)).toBe(hmac(key, text).toString('hex'))
    expect(signing.sign('again')).toBe(hmac(key, 'again').toString('hex')) // nothing of the last one is left
  })

  it('signs nothing longer, and nothing once it is wiped', () => {
    const key = new SigningKey(hmac('k', 'x'))
    expect(() => key.sign('x'.repeat(513))).toThrow(RangeError)
    key.wipe()
    expect(() => key.sign('x')).toThrow(RangeError)
  })
})

describe('createSigningKeys', () => {
  it('asks once for callers that arrive together, and not again', async () => {
    const device = backend()
    const keys = createSigningKeys(device)
    const made = await Promise.all(Array.from({ length: 50 }, () => keys.get(SCOPE, NOON)))
    expect(new Set(made).size).toBe(1)
    expect(keys.ready(SCOPE)).toBe(made[0])
    await keys.get(SCOPE, NOON)
    expect(device.asked).toEqual(['20150830'])
  })

  it('forgets a failure', async () => {
    const device = backend()
    device.hmacSha256.mockRejectedValueOnce(new Error('TPM busy'))
    const keys = createSigningKeys(device)
    await expect(keys.get(SCOPE, NOON)).rejects.toThrow('TPM busy')
    expect(keys.ready(SCOPE)).toBeUndefined()
    await expect(keys.get(SCOPE, NOON)).resolves.toBeInstanceOf(SigningKey)
  })

  it.each([31, 33, 0])('M04 refuses a tag of %d octets', async (length) => {
    const device = backend()
    device.hmacSha256.mockResolvedValueOnce(new Uint8Array(length))
    await expect(createSigningKeys(device).get(SCOPE, NOON)).rejects.toMatchObject({ code: 'ERR_HMAC_RESPONSE' })
  })

  it.each([
    ['20300101/us-east-1/sts'],
    ['x/us-east-1/sts'],
    ['        /us-east-1/sts'],
    [`${'9'.repeat(1_000_000)}/us-east-1/sts`],
    ['20150901/us-east-1/sts'], // the day after tomorrow
    ['20150828/us-east-1/sts'],
    ['20150230/us-east-1/sts'],
    ['20150830/us-east-1'],
    ['20150830/us-east-1/sts/x'],
    [''],
  ])('M21 refuses %.40s without asking', async (scope) => {
    const device = backend()
    await expect(createSigningKeys(device).get(scope, NOON)).rejects.toMatchObject({ code: 'ERR_SIGV4_DAY' })
    expect(device.asked).toEqual([])
  })

  it.each(['20150829', '20150830', '20150831'])('M21 asks for %s, which is next to today', async (day) => {
    const device = backend()
    await createSigningKeys(device).get(`${day}/us-east-1/sts`, NOON)
    expect(device.asked).toEqual([day])
  })

  it('M22 zeroes the keys of a day that is over, once someone asks for another, or on its own', async () => {
    jest.useFakeTimers({ now: NOON })
    const keys = createSigningKeys(backend())
    const old = await keys.get(SCOPE, NOON)
    await keys.get('20150831/us-east-1/iam', Date.parse('2015-08-31T00:16:00Z'))
    await jest.advanceTimersByTimeAsync(0)
    expect(old.wiped).toBe(true)
    expect(keys.ready(SCOPE)).toBeUndefined()

    const next = await keys.get('20150831/us-east-1/iam', Date.parse('2015-08-31T00:16:00Z'))
    expect(next.wiped).toBe(false)
    await jest.advanceTimersByTimeAsync(25 * 3_600_000)
    expect(next.wiped).toBe(true)
  })

  it('M30 keeps yesterday for a quarter of an hour', async () => {
    const keys = createSigningKeys(backend())
    const old = await keys.get(SCOPE, NOON)
    await keys.get('20150831/us-east-1/iam', Date.parse('2015-08-31T00:14:00Z'))
    expect(keys.ready(SCOPE)).toBe(old)
  })

  it('keeps 50 scopes, and zeroes the oldest', async () => {
    const keys = createSigningKeys(backend())
    const first = await keys.get('20150830/r0/s', NOON)
    for (let i = 1; i <= 50; i++) await keys.get(`20150830/r${i}/s`, NOON)
    await new Promise((resolve) => setTimeout(resolve))
    expect(first.wiped).toBe(true)
    expect(keys.ready('20150830/r0/s')).toBeUndefined()
    expect(keys.ready('20150830/r1/s')).toBeDefined()
  })

  it('M27 derives for more callers than it keeps keys for, on a device that takes one at a time', async () => {
    const device = backend()
    let queue = Promise.resolve()
    const tag = device.hmacSha256.getMockImplementation()!
    device.hmacSha256.mockImplementation((message) => {
      const done = queue.then(() => new Promise((resolve) => setImmediate(resolve))).then(() => tag(message))
      queue = done.then(() => {})
      return done
    })
    const signer = (region: string) =>
      createHmacSigner({
        backend: device,
        accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
        region,
        service: 's',
        clock: () => NOON,
      })
    const url = 'https://example.com/'
    await Promise.all(Array.from({ length: 120 }, (_, i) => signer(`r${i}`).sign({ url })))
    expect(device.asked).toHaveLength(120)
  })

  it('M22 forgets all keys when their backend is closed', async () => {
    const secret = softwareHmac({ secretAccessKey: SECRET })
    const keys = signingKeysOf(secret)
    const key = await keys.get(SCOPE, NOON)
    await secret.close()
    expect(keys.ready(SCOPE)).toBeUndefined()
    await new Promise((resolve) => setTimeout(resolve))
    expect(key.wiped).toBe(true)
    await expect(keys.get(SCOPE, NOON)).rejects.toMatchObject({ code: 'ERR_HMAC_CLOSED' })
  })
})

it('one backend has one set of keys', () => {
  const device = backend()
  expect(signingKeysOf(device)).toBe(signingKeysOf(device))
  expect(signingKeysOf(backend())).not.toBe(signingKeysOf(device))
})
