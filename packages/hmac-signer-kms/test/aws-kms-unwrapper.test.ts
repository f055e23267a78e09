import type { TestAwsKms } from '@hardbound/testkit/kms'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type AwsKmsUnwrapperInit, awsKmsUnwrapper } from '../src/aws-kms-unwrapper.ts'
import { openWrappedHmac } from '../src/open-wrapped-hmac.ts'
import { wrapSecret } from '../src/wrap-secret.ts'
import {
  answered,
  awsKms,
  awsOptions,
  DAY,
  errorOf,
  hex,
  KEY,
  startStranger,
  tagOf,
  textOf,
  USER,
  withRealEnv,
} from './helpers.ts'

const ARN = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const wrong = (code: string) => expect.objectContaining({ name: 'HmacBackendError', code })
const signal = new AbortController().signal

let kms: TestAwsKms
let keyId: string
let unwrap: (more?: object) => ReturnType<typeof awsKmsUnwrapper>
beforeEach(async () => {
  ;({ kms, keyId, unwrap } = await awsKms())
})
afterEach(() => kms.close())

async function failing(more?: object): Promise<Error & { code: string }> {
  const wrapper = unwrap(more)
  const ciphertext = await unwrap().wrap(KEY, { signal })
  const error = await errorOf(wrapper.unwrap(ciphertext, { signal }))
  await wrapper.close()
  return error
}

describe('awsKmsUnwrapper', () => {
  it('wraps and unwraps, bound to its encryption context', async () => {
    const key = unwrap({ encryptionContext: { purpose: 'sigv4', user: 'signer' } })
    const ciphertext = await key.wrap(KEY, { signal })
    expect(hex(await key.unwrap(ciphertext, { signal }))).toBe(KEY.toString('hex'))
    expect(kms.calls.map(({ operation, encryptionContext }) => [operation, encryptionContext])).toEqual([
      ['Encrypt', { purpose: 'sigv4', user: 'signer' }],
      ['Decrypt', { purpose: 'sigv4', user: 'signer' }],
    ])
    expect(key).toMatchObject({ kms: 'aws-kms', keyId, context: { purpose: 'sigv4', user: 'signer' } })
    await key.close()
    await key.close()
  })

  it('uses a client that it is given, and leaves it open', async () => {
    let destroyed = 0
    const client = {
      send: () => Promise.resolve({ KeyId: keyId, Plaintext: Uint8Array.from(KEY) }),
      destroy: () => void destroyed++,
    }
    const key = unwrap({ client })
    expect(hex(await key.unwrap(DAY, { signal }))).toBe(KEY.toString('hex'))
    await key.close()
    expect(destroyed).toBe(0)
  })

  it('does not look at endpoints of the environment', async () => {
    process.env.AWS_ENDPOINT_URL_KMS = kms.endpoint
    try {
      const { endpoint, ...init } = awsOptions(kms)
      const key = awsKmsUnwrapper({ ...init, keyId })
      const error = await errorOf(key.unwrap(DAY, { signal: AbortSignal.timeout(1) }))
      expect(error).toEqual(expect.objectContaining({ name: 'HmacBackendError' }))
      expect(endpoint).toBe(kms.endpoint)
      expect(kms.calls.length + kms.refusals.length).toBe(0)
    } finally {
      delete process.env.AWS_ENDPOINT_URL_KMS
    }
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

  it.each([
    [{ keyId: 'alias/mine' }, '"keyId"'],
    [{ keyId: 'arn:aws:kms:eu-west-1:111122223333:alias/mine' }, '"keyId"'],
    [{ keyId: '' }, '"keyId"'],
    [{ region: 'us-east-1' }, '"region"'],
    [{ encryptionContext: { a: 1 } }, '"encryptionContext"'],
    [{ endpoint: 'http://kms.example.com' }, '"endpoint"'],
    [{ endpoint: 'https://kms.example.com/path' }, '"endpoint"'],
    [{ endpoint: 'http://127.0.0.1:1', dangerouslyAllowPlaintextEndpoint: false }, '"endpoint"'],
  ])('refuses %j', (init, message) => {
    expect(() => awsKmsUnwrapper({ keyId: ARN, ...init } as AwsKmsUnwrapperInit)).toThrow(message)
  })

  it.each([
    'arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
    'arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab',
  ])('takes %s', (id) => {
    expect(awsKmsUnwrapper({ keyId: id }).keyId).toBe(id)
  })
})

describe('M26 AWS KMS that does not do as usual', () => {
  it('M26 throttled: the SDK tries again, then it is unavailable', async () => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    kms.throttle = 1
    expect(hex(await unwrap().unwrap(ciphertext, { signal }))).toBe(KEY.toString('hex'))
    kms.throttle = 100
    await expect(unwrap().unwrap(ciphertext, { signal })).rejects.toEqual(wrong('ERR_HMAC_UNAVAILABLE'))
  })

  it.each(['Disabled', 'PendingDeletion'] as const)('M26 the key is %s', async (state) => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    kms.setKeyState(keyId, state)
    await expect(unwrap().unwrap(ciphertext, { signal })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    kms.setKeyState(keyId, 'Enabled')
    expect(hex(await unwrap().unwrap(ciphertext, { signal }))).toBe(KEY.toString('hex'))
  })

  it('M26 disabled while cached: the policy says how long that goes unnoticed', async () => {
    let nowMs = 0
    const envelope = await wrapSecret({ wrap: unwrap(), key: KEY })
    const cache = { maxAgeSeconds: 60 }
    const backend = await openWrappedHmac({ unwrap: unwrap(), envelope, cache, clock: () => nowMs })
    kms.setKeyState(keyId, 'Disabled')
    nowMs = 59_000
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    nowMs = 61_000
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    await backend.close()
  })

  it('M26 another key', async () => {
    expect(await failing({ keyId: kms.addKey() })).toEqual(wrong('ERR_HMAC_KEY'))
    expect(kms.refusals).toEqual(['IncorrectKeyException'])
    expect(await failing({ keyId: ARN })).toEqual(wrong('ERR_HMAC_KEY'))
  })

  it('M26 another encryption context', async () => {
    expect(await failing({ encryptionContext: { purpose: 'other' } })).toEqual(wrong('ERR_HMAC_KEY'))
    expect(kms.refusals).toEqual(['InvalidCiphertextException'])
  })

  it('a ciphertext with an octet changed', async () => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    ciphertext[ciphertext.length - 1]! ^= 1
    await expect(unwrap().unwrap(ciphertext, { signal })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
  })

  it('no permission, and keys that are wrong: no error shows them', async () => {
    const closed = kms.addKey({ users: ['arn:aws:iam::111122223333:user/other'] })
    expect(await errorOf(unwrap({ keyId: closed }).wrap(KEY, { signal }))).toEqual(wrong('ERR_HMAC_DENIED'))
    for (const credentials of [
      { accessKeyId: USER.accessKeyId, secretAccessKey: 'not-the-secret' },
      { accessKeyId: 'AKIAI44QH8DHBEXAMPLE', secretAccessKey: 'not-the-secret' },
      () => Promise.reject(new Error('not-the-secret')),
    ]) {
      const error = await failing({ credentials })
      expect(textOf(error)).not.toContain('not-the-secret')
      if (typeof credentials !== 'function') expect(error).toEqual(wrong('ERR_HMAC_DENIED'))
    }
  })

  it('the answer is from another key', async () => {
    kms.lie = { KeyId: ARN }
    expect(await failing()).toEqual(wrong('ERR_HMAC_UNTRUSTED'))
  })

  it.each([{ Plaintext: undefined }, { Plaintext: '' }])('an answer with %j', async (lie) => {
    kms.lie = lie
    expect(await failing()).toEqual(wrong('ERR_HMAC_RESPONSE'))
  })

  it.each([
    ['not JSON', 200, 'ERR_HMAC_RESPONSE'],
    ['{"secret":"canary"}', 500, 'ERR_HMAC_UNAVAILABLE'],
    ['{"__type":"CanaryException","message":"canary"}', 400, 'ERR_HMAC_RESPONSE'],
  ])('answers %j with status %i', async (body, status, code) => {
    const wrapper = unwrap()
    const ciphertext = await wrapper.wrap(KEY, { signal })
    kms.fault = (_, res) => answered(res, status, body)
    const error = await errorOf(wrapper.unwrap(ciphertext, { signal }))
    expect(error).toEqual(wrong(code))
    expect(textOf(error)).not.toContain('canary')
  })

  it('nobody is there', async () => {
    const ciphertext = await unwrap().wrap(KEY, { signal })
    await kms.close()
    await expect(unwrap().unwrap(ciphertext, { signal })).rejects.toEqual(wrong('ERR_HMAC_UNAVAILABLE'))
  })

  it('the caller gives up', async () => {
    const controller = new AbortController()
    kms.fault = () => {
      controller.abort()
      return true
    }
    await expect(unwrap().unwrap(DAY, { signal: controller.signal })).rejects.toEqual(wrong('ERR_HMAC_TIMEOUT'))
  })
})
