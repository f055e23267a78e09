import type { TestGoogleKms } from '@hardbound/testkit/kms'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type GoogleKmsUnwrapperInit, googleKmsUnwrapper } from '../src/google-kms-unwrapper.ts'
import { openWrappedHmac } from '../src/open-wrapped-hmac.ts'
import { wrapSecret } from '../src/wrap-secret.ts'
import { answered, DAY, errorOf, googleKms, hex, KEY, startStranger, tagOf, textOf, withRealEnv } from './helpers.ts'

const NAME = 'projects/p/locations/global/keyRings/r/cryptoKeys/k'
const wrong = (code: string) => expect.objectContaining({ name: 'HmacBackendError', code })
const signal = new AbortController().signal

let kms: TestGoogleKms
let keyName: string
let unwrap: (more?: object) => ReturnType<typeof googleKmsUnwrapper>
beforeEach(async () => {
  ;({ kms, keyName, unwrap } = await googleKms())
})
afterEach(() => kms.close())

async function failing(more?: object): Promise<Error & { code: string }> {
  const ciphertext = await unwrap().wrap(KEY, { signal })
  return errorOf(unwrap(more).unwrap(ciphertext, { signal }))
}

describe('googleKmsUnwrapper', () => {
  it('wraps and unwraps, bound to additional data, with its service account', async () => {
    const key = unwrap({ additionalAuthenticatedData: Buffer.from('sigv4') })
    const ciphertext = await key.wrap(KEY, { signal })
    expect(hex(await key.unwrap(ciphertext, { signal }))).toBe(KEY.toString('hex'))
    const account = 'signer@example-project.iam.gserviceaccount.com'
    expect(kms.calls).toEqual([
      { method: 'encrypt', key: keyName, account },
      { method: 'decrypt', key: keyName, account },
    ])
    expect(key).toMatchObject({
      kms: 'google-kms',
      keyId: keyName,
      context: { additionalAuthenticatedData: Buffer.from('sigv4').toString('base64') },
    })
    await key.close()
    await key.close()
  })

  it.each([
    [{ keyName: 'k' }, '"keyName"'],
    [{ keyName: `${NAME}/cryptoKeyVersions/1` }, '"keyName"'],
    [{ keyName: `${NAME}/../x` }, '"keyName"'],
    [{ keyName: NAME.replace('/p/', '/../') }, '"keyName"'],
    [{ keyName: NAME.replace('/p/', '/./') }, '"keyName"'],
    [{ endpoint: 'http://kms.example.com' }, '"endpoint"'],
    [{ endpoint: 'http://127.0.0.1:1' }, '"endpoint"'],
  ])('refuses %j', (init, message) => {
    expect(() => googleKmsUnwrapper({ keyName: NAME, ...init } as GoogleKmsUnwrapperInit)).toThrow(message)
  })

  it.each(['..p', '.p', 'example.com:p'])('takes a project that is called %s', (project) => {
    const keyName = NAME.replace('/p/', `/${project}/`)
    expect(googleKmsUnwrapper({ keyName }).keyId).toBe(keyName)
  })

  it.each([{}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }])('T17 tells a stranger nothing, with %j', async (values) => {
    const stranger = await startStranger()
    await withRealEnv(values, async () => {
      const key = unwrap({ endpoint: stranger.endpoint })
      const error = await errorOf(key.wrap(KEY, { signal }))
      await key.close()
      expect(stranger.bodies).toEqual([])
      expect(error).toEqual(wrong('ERR_HMAC_UNTRUSTED'))
    }).finally(() => stranger.close())
  })

  it('uses a client that it is given, and leaves it open', async () => {
    let closed = 0
    const plaintext = { plaintext: Uint8Array.from(KEY), plaintextCrc32c: { value: '2451286225' } }
    const client = {
      encrypt: () => Promise.reject(new Error('unused')),
      decrypt: () => Promise.resolve([plaintext]),
      close: () => Promise.resolve(void closed++),
    }
    const key = unwrap({ client })
    await expect(key.unwrap(DAY, { signal })).rejects.toEqual(wrong('ERR_HMAC_RESPONSE')) // not its checksum
    await key.close()
    expect(closed).toBe(0)
  })
})

describe('M26 Cloud KMS that does not do as usual', () => {
  it.each(['DISABLED', 'DESTROY_SCHEDULED'] as const)('M26 the version is %s', async (state) => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    kms.setKeyState(keyName, state)
    await expect(unwrap().unwrap(ciphertext, { signal })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
  })

  it('M26 disabled while cached: the policy says how long that goes unnoticed', async () => {
    let nowMs = 0
    const envelope = await wrapSecret({ wrap: unwrap(), key: KEY })
    const cache = { maxAgeSeconds: 60 }
    const backend = await openWrappedHmac({ unwrap: unwrap(), envelope, cache, clock: () => nowMs })
    kms.setKeyState(keyName, 'DISABLED')
    nowMs = 59_000
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    nowMs = 61_000
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    await backend.close()
  })

  it('M26 another key, or other additional data', async () => {
    const other = kms.addKey({ name: NAME })
    expect(await failing({ keyName: other })).toEqual(wrong('ERR_HMAC_KEY'))
    expect(await failing({ additionalAuthenticatedData: DAY })).toEqual(wrong('ERR_HMAC_KEY'))
    expect(kms.refusals).toEqual(['INVALID_ARGUMENT', 'INVALID_ARGUMENT'])
    expect(await failing({ keyName: `${NAME}2` })).toEqual(wrong('ERR_HMAC_KEY'))
  })

  it('M26 throttled', async () => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    const body = JSON.stringify({ error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'canary' } })
    kms.fault = (_, res) => answered(res, 429, body)
    const error = await errorOf(unwrap({ timeoutMs: 1000 }).unwrap(ciphertext, { signal }))
    expect(error).toEqual(wrong('ERR_HMAC_UNAVAILABLE'))
    expect(textOf(error)).not.toContain('canary')
  })

  it('no permission, and an account that is not known', async () => {
    const closed = kms.addKey({ name: NAME, accounts: ['other@example-project.iam.gserviceaccount.com'] })
    await expect(unwrap({ keyName: closed }).wrap(KEY, { signal })).rejects.toEqual(wrong('ERR_HMAC_DENIED'))
    const stranger = await googleKms()
    const error = await failing({ credentials: { ...stranger.credentials, client_email: 'x@y.example.com' } })
    await stranger.kms.close()
    expect(error).toEqual(wrong('ERR_HMAC_DENIED'))
    expect(textOf(error)).not.toMatch(/PRIVATE KEY|eyJ/)
  })

  it.each([
    { plaintextCrc32c: '1' },
    { plaintextCrc32c: undefined },
    { plaintext: '' },
    { plaintext: Buffer.from('another key').toString('base64') },
  ])('octets change on their way back: %j', async (lie) => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    kms.lie = lie
    await expect(unwrap().unwrap(ciphertext, { signal })).rejects.toEqual(wrong('ERR_HMAC_RESPONSE'))
  })

  it.each([
    [{ verifiedPlaintextCrc32c: false }, 'ERR_HMAC_RESPONSE'],
    [{ verifiedAdditionalAuthenticatedDataCrc32c: false }, 'ERR_HMAC_RESPONSE'],
    [{ ciphertextCrc32c: '1' }, 'ERR_HMAC_RESPONSE'],
    [{ name: `${NAME}/cryptoKeyVersions/1` }, 'ERR_HMAC_UNTRUSTED'],
    [{ name: undefined }, 'ERR_HMAC_UNTRUSTED'],
  ])('octets change on their way in: %j', async (lie, code) => {
    kms.lie = lie
    const key = unwrap({ additionalAuthenticatedData: DAY })
    await expect(key.wrap(KEY, { signal })).rejects.toEqual(wrong(code))
  })

  it('answers that are not JSON, and nobody there', async () => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    const key = unwrap({ timeoutMs: 1000 })
    kms.fault = (_, res) => answered(res, 200, 'canary')
    const error = await errorOf(key.unwrap(ciphertext, { signal }))
    expect(error).toEqual(wrong('ERR_HMAC_RESPONSE'))
    expect(textOf(error)).not.toContain('canary')
    await kms.close()
    await expect(key.unwrap(ciphertext, { signal })).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_HMAC_(UNAVAILABLE|TIMEOUT)$/),
    })
  })
})
