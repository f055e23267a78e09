import { describeHmacBackend } from '@hardbound/testkit/hmac-backend'
import { describe, expect, it } from '@jest/globals'
import { checkKnownAnswer, knownAnswer } from '../src/known-answer.ts'
import { softwareHmac } from '../src/software-backend.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

describeHmacBackend('software', (key) => Promise.resolve(softwareHmac({ secretAccessKey: key.subarray(4) })))

describe('softwareHmac', () => {
  it.each([[''], [`AWS4${SECRET}`]])('refuses a secret that can not be one', (secretAccessKey) => {
    expect(() => softwareHmac({ secretAccessKey })).toThrow(TypeError)
  })
  it('has a copy of the secret', async () => {
    const octets = Buffer.from(SECRET)
    const backend = softwareHmac({ secretAccessKey: octets })
    octets.fill(0)
    expect(await knownAnswer(backend)).toBe(await knownAnswer(softwareHmac({ secretAccessKey: SECRET })))
  })
})

describe('known answers', () => {
  it('M15 recognise a key, and nothing else', async () => {
    const answer = await knownAnswer(softwareHmac({ secretAccessKey: SECRET }))
    expect(answer).toMatch(/^[0-9a-f]{32}$/)
    await checkKnownAnswer(softwareHmac({ secretAccessKey: SECRET }), answer)
    await expect(checkKnownAnswer(softwareHmac({ secretAccessKey: 'another' }), answer)).rejects.toMatchObject({
      code: 'ERR_HMAC_KNOWN_ANSWER',
      tryNextLink: false,
    })
  })
  it.each(['', 'x'.repeat(32), 'A'.repeat(32), 'a'.repeat(31)])('refuse %j as an answer', async (expected) => {
    await expect(checkKnownAnswer(softwareHmac({ secretAccessKey: SECRET }), expected)).rejects.toThrow(TypeError)
  })
  it('M04 refuse a tag that is none', async () => {
    const backend = {
      name: 'odd',
      hmacSha256: () => Promise.resolve(new Uint8Array(31)),
      close: () => Promise.resolve(),
    }
    await expect(knownAnswer(backend)).rejects.toMatchObject({ code: 'ERR_HMAC_RESPONSE' })
  })
})
