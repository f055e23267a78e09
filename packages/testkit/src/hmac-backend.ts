import { createHmac, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

/** As much of an HmacBackend as is looked at here. */
interface Backend {
  readonly name: string
  hmacSha256(message: Uint8Array, options?: { signal?: AbortSignal }): Promise<Uint8Array>
  close(): Promise<void>
}

/** AWS's documented example key, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
const KEY = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
const MESSAGES: readonly [string, Uint8Array][] = [
  ['a day', Buffer.from('20150830')],
  ['one octet', Uint8Array.of(0)],
  ['every octet', Uint8Array.from({ length: 256 }, (_, index) => index)],
  ['a block', Buffer.alloc(64, 7)],
  ['4 KiB', randomBytes(4096)],
]

/** What every backend must do, whatever holds its key. `open` gets the key to put there. Inside Jest only. */
export function describeHmacBackend(name: string, open: (key: Uint8Array) => Promise<Backend>): void {
  describe(`${name} as an HmacBackend`, () => {
    let backend: Backend
    beforeAll(async () => {
      backend = await open(KEY)
    }, 60_000)
    afterAll(() => backend.close())

    const expected = (message: Uint8Array) => createHmac('sha256', KEY).update(message).digest('hex')
    const tagOf = async (message: Uint8Array) => Buffer.from(await backend.hmacSha256(message)).toString('hex')

    it.each(MESSAGES)('authenticates %s', async (_, message) => {
      expect(await tagOf(message)).toBe(expected(message))
    })
    it('has a name that fits a log', () => {
      expect(backend.name).toMatch(/^[a-z0-9-]{1,32}$/)
    })
    it('gives each caller octets of its own', async () => {
      const first = await backend.hmacSha256(KEY)
      first.fill(0)
      expect(await tagOf(KEY)).toBe(expected(KEY))
    })
    it('does not look at the message after the call', async () => {
      const message = Buffer.from('20150830')
      const tag = backend.hmacSha256(message)
      message.fill(0)
      expect(Buffer.from(await tag).toString('hex')).toBe(expected(Buffer.from('20150830')))
    })
    it('M08 answers 64 callers at once, each with its own', async () => {
      const messages = Array.from({ length: 64 }, (_, index) => Buffer.from(`message ${index}`))
      expect(await Promise.all(messages.map(tagOf))).toEqual(messages.map(expected))
    })
    it('gives up at once for a caller whose signal has fired, and goes on for others', async () => {
      const late = backend.hmacSha256(KEY, { signal: AbortSignal.abort() })
      const good = tagOf(KEY)
      await expect(late).rejects.toMatchObject({ code: 'ERR_HMAC_ABORTED' })
      expect(await good).toBe(expected(KEY))
    })
    it('closes twice, and then says that it is closed', async () => {
      await backend.close()
      await backend.close()
      await expect(backend.hmacSha256(KEY)).rejects.toMatchObject({ code: 'ERR_HMAC_CLOSED' })
    })
  })
}
