import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { bufferIdentity } from '../../src/identity/buffer.ts'
import { createLab, type Lab, PASSWORD, rejection, signs, subjects } from './lab.ts'

let lab: Lab
let [certificate, privateKey, intermediates] = ['', '', '']
beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('ec')
  ;[certificate, privateKey, intermediates] = (await Promise.all(
    ['ec.crt', 'ec.key', 'intermediate.crt'].map((it) => lab.text(it)),
  )) as [string, string, string]
})
afterAll(() => lab.remove())

describe('bufferIdentity', () => {
  it('reads text and octets, apart and in one', async () => {
    for (const init of [
      { certificate, privateKey, intermediates },
      {
        certificate: Buffer.from(certificate),
        privateKey: Buffer.from(privateKey),
        intermediates: Buffer.from(intermediates),
      },
      { certificate: privateKey + certificate + intermediates },
    ]) {
      const source = bufferIdentity(init)
      expect(source.name).toBe('buffer')
      const identity = await source.current()
      expect(await signs(identity)).toBe(true)
      expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
      expect(await source.current()).toBe(identity)
    }
  })

  it('copies what it gets', async () => {
    const octets = Buffer.from(certificate + privateKey)
    const source = bufferIdentity({ certificate: octets })
    octets.fill(0)
    expect(await signs(await source.current())).toBe(true)
  })

  it('asks for the password until it is right, and then no more', async () => {
    await lab.openssl(
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-in',
      'ec.key',
      '-passout',
      `pass:${PASSWORD}`,
      '-out',
      'encrypted.key',
    )
    const password = jest.fn(() => PASSWORD).mockReturnValueOnce('wrong')
    const source = bufferIdentity({ certificate, privateKey: await lab.text('encrypted.key'), password })
    expect(await rejection(source)).toMatchObject({
      code: 'ERR_RA_PASSWORD',
      message: expect.stringMatching(/private key in "privateKey" is wrong/),
    })
    await source.current()
    await source.current()
    expect(password).toHaveBeenCalledTimes(2)
  })

  it('refuses what is none, naming the option', async () => {
    expect(() => bufferIdentity({ certificate: 7 as never })).toThrow(TypeError)
    expect(() => bufferIdentity({ certificate: '' })).toThrow(RangeError)
    expect(() => bufferIdentity({ certificate, privateKey: Buffer.alloc(1_048_577) })).toThrow(RangeError)
    expect(await rejection(bufferIdentity({ certificate }))).toMatchObject({
      code: 'ERR_RA_KEY',
      message: expect.stringMatching(/in "certificate" is not there/),
    })
    expect(await rejection(bufferIdentity({ certificate: privateKey, privateKey }))).toMatchObject({
      code: 'ERR_RA_CERTIFICATE',
    })
  })

  it('U: closes although nobody answers for the password', async () => {
    const { privateKey: key } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    })
    const source = bufferIdentity({
      certificate,
      privateKey: key,
      password: () => new Promise<string>(() => undefined),
    })
    const waiting = rejection(source)
    await source.close()
    expect((await waiting).code).toBe('ERR_RA_CLOSED')
  })

  it('turns all away after close, and when aborted', async () => {
    const source = bufferIdentity({ certificate, privateKey })
    await expect(source.current({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_RA_ABORTED' })
    await source.close()
    await source.close()
    expect((await rejection(source)).code).toBe('ERR_RA_CLOSED')
  })
})
