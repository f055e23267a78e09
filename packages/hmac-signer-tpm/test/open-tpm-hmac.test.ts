import { createHmac } from 'node:crypto'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { describeHmacBackend } from '@hardbound/testkit/hmac-backend'
import { decodePublic, encodePublic, openTpm, openTransport, type Tpm } from '@hardbound/tpm2'
import {
  create,
  createPrimary,
  evictControl,
  hmacKeyTemplate,
  importKey,
  load,
  pcrRead,
  policySecret,
  wrapHmacKey,
} from '@hardbound/tpm2/commands'
import { readKeyFile, writeKeyFile } from '@hardbound/tpm2/key-file'
import { startPolicySession, trialPolicy } from '@hardbound/tpm2/sessions'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { importTpmHmacKey, openTpmHmac, parsePcrs, readTpmKeyName } from '../src/index.ts'
import { PASSWORD, SECRET } from './lab.ts'

const DAY = Buffer.from('20150830')
const PCRS = parsePcrs('sha256:0,16')

let swtpm: TestSwtpm
let tpm: string
beforeAll(async () => {
  swtpm = await startSwtpm()
  tpm = swtpm.address
})
afterAll(() => swtpm.stop())

/** The TPM while nobody else is connected. */
async function withTpm<T>(work: (tpm: Tpm) => Promise<T>): Promise<T> {
  const opened = await openTpm({ transport: () => openTransport(tpm) })
  try {
    return await work(opened)
  } finally {
    await opened.close()
  }
}
const encrypted = async (key: 'ek-ecc' | 'ek-rsa' | 'srk-ecc') => ({
  sessionEncryption: { key, name: await readTpmKeyName({ tpm, key }) },
})

/** A key from elsewhere, for one endorsement key: usable by the branch, or to be duplicated to there. */
async function transferred(secret: Uint8Array, ek: 'rsa' | 'ecc', userAuth: Uint8Array | undefined): Promise<string> {
  const { parent, values } = await withTpm((it) =>
    it.exclusively(async (inner) => ({
      parent: await createPrimary(inner, { hierarchy: 'endorsement', template: `ek-${ek}` }),
      values: await pcrRead(inner, PCRS),
    })),
  )
  const start = trialPolicy()
  const branch = userAuth
    ? start.authValue()
    : start.pcr(
        PCRS,
        values.map(({ value }) => value),
      )
  const policy = start.or([branch.digest, start.duplicationSelect(parent.name).digest])
  const template = hmacKeyTemplate({ attributes: ['sign'], authPolicy: policy.digest })
  const wrapped = wrapHmacKey({ parent: parent.public, template, key: secret, ...(userAuth && { userAuth }) })
  return writeKeyFile({
    type: 'importable',
    parent: 0x4000000b,
    public: encodePublic(wrapped.public),
    private: wrapped.duplicate,
    secret: wrapped.seed,
  })
}

describeHmacBackend('a persistent handle', async (secret) => {
  await importTpmHmacKey({ tpm, secret, persistentHandle: 0x81010001 })
  return openTpmHmac({ tpm, key: { handle: 0x81010001 } })
})
describeHmacBackend('a persistent handle with a password, encrypted', async (secret) => {
  const common = { tpm, keyAuth: PASSWORD, ...(await encrypted('ek-ecc')) }
  await importTpmHmacKey({ ...common, secret, persistentHandle: 0x81010002 })
  return openTpmHmac({ ...common, key: { handle: 0x81010002 } })
})
describeHmacBackend('a key file with a password', async (secret) => {
  const { pem = '', knownAnswer } = await importTpmHmacKey({ tpm, secret, keyAuth: PASSWORD })
  return openTpmHmac({ tpm, key: { pem }, keyAuth: PASSWORD, knownAnswer })
})
describeHmacBackend('a key file with PCRs', async (secret) => {
  const { pem = '' } = await importTpmHmacKey({ tpm, secret, pcrs: PCRS })
  return openTpmHmac({ tpm, key: { pem }, pcrs: PCRS })
})
describeHmacBackend('a key file with PCRs and a password, encrypted', async (secret) => {
  const common = { tpm, keyAuth: PASSWORD, pcrs: PCRS, ...(await encrypted('srk-ecc')) }
  const { pem = '' } = await importTpmHmacKey({ ...common, secret })
  return openTpmHmac({ ...common, key: { pem } })
})
describeHmacBackend('a key file under the endorsement key, encrypted', async (secret) => {
  const common = { tpm, useEkParent: 'ecc', ...(await encrypted('ek-ecc')) } as const
  const { pem = '' } = await importTpmHmacKey({ ...common, secret })
  return openTpmHmac({ ...common, key: { pem } })
})
describeHmacBackend('a transferred key with PCRs', async (secret) => {
  const pem = await transferred(secret, 'ecc', undefined)
  return openTpmHmac({ tpm, key: { pem }, useEkParent: 'ecc', pcrs: PCRS })
})
describeHmacBackend('a transferred key with a password, encrypted', async (secret) => {
  const pem = await transferred(secret, 'ecc', PASSWORD)
  const encryption = await encrypted('ek-ecc')
  return openTpmHmac({ tpm, key: { pem }, useEkParent: 'ecc', keyAuth: PASSWORD, ...encryption })
})

describe('openTpmHmac', () => {
  it('opens a key that was transferred to the RSA endorsement key, as tpmcopy does it', async () => {
    const pem = await transferred(SECRET, 'rsa', undefined)
    const backend = await openTpmHmac({ tpm, key: { pem }, useEkParent: true, pcrs: PCRS, keyAuth: PASSWORD })
    expect(await backend.hmacSha256(DAY)).toHaveLength(32)
    await backend.close()
  })
  it('opens a transferred key that is kept at a handle', async () => {
    const file = readKeyFile(await transferred(SECRET, 'ecc', PASSWORD))
    const area = decodePublic(file.public)
    await withTpm((open) =>
      open.exclusively(async (it) => {
        const parent = await createPrimary(it, { hierarchy: 'endorsement', template: 'ek-ecc' })
        const parentAuth = async () => {
          const session = await startPolicySession(it)
          await policySecret(it, { session, hierarchy: 'endorsement' })
          return session
        }
        const { private: duplicate, secret: seed = new Uint8Array() } = file
        const wrapped = await importKey(it, { parent, auth: await parentAuth(), public: area, duplicate, seed })
        const object = await load(it, { parent, auth: await parentAuth(), ...wrapped })
        await evictControl(it, { object, persistentHandle: 0x81010077 })
      }),
    )
    const key = { handle: 0x81010077 }
    const backend = await openTpmHmac({ tpm, key, useEkParent: 'ecc', keyAuth: PASSWORD })
    expect(await backend.hmacSha256(DAY)).toHaveLength(32)
    await backend.close()
    await expect(openTpmHmac({ tpm, key, keyAuth: PASSWORD })).rejects.toMatchObject({ code: 'ERR_HMAC_POLICY' })
  })
  it('opens a key file whose parent is the RSA primary', async () => {
    const made = await withTpm((open) =>
      open.exclusively(async (it) => {
        const parent = await createPrimary(it, { hierarchy: 'owner', template: 'h1-rsa' })
        const template = hmacKeyTemplate({ attributes: ['fixedTPM', 'fixedParent', 'userWithAuth', 'sign'] })
        return create(it, { parent, template, sensitiveData: SECRET })
      }),
    )
    const parts = {
      type: 'loadable',
      parent: 0x40000001,
      public: encodePublic(made.public),
      private: made.private,
    } as const
    const backend = await openTpmHmac({ tpm, key: { pem: writeKeyFile({ ...parts, rsaParent: true }) } })
    expect(Buffer.from(await backend.hmacSha256(DAY))).toEqual(createHmac('sha256', SECRET).update(DAY).digest())
    await backend.close()
    const wrongParent = openTpmHmac({ tpm, key: { pem: writeKeyFile(parts) } })
    await expect(wrongParent).rejects.toMatchObject({ code: 'ERR_HMAC_KEY' })
  })
  it('uses a Tpm that is open already, and leaves it open', () =>
    withTpm(async (open) => {
      const backend = await openTpmHmac({ tpm: open, key: { handle: 0x81010001 } })
      await backend.close()
      await openTpmHmac({ tpm: open, key: { handle: 0x81010001 } })
    }))
  it.each([
    ['a handle of something else', { key: { handle: 0x40000001 } }, RangeError],
    ['a known answer of another form', { knownAnswer: 'abc' }, TypeError],
    ['M18 encryption without a pinned name', { sessionEncryption: { name: '' } }, TypeError],
    [
      'M18 a salt key that is none',
      { sessionEncryption: { name: `000b${'00'.repeat(32)}`, key: 'h2' as 'ek-rsa' } },
      TypeError,
    ],
    ['an empty list of PCRs', { pcrs: [] }, TypeError],
    ['a deadline of nothing', { timeoutMs: 0 }, RangeError],
    ['a queue of less than nothing', { maxWaiting: -1 }, RangeError],
    ['a very long password', { keyAuth: Buffer.alloc(65, 1) }, TypeError],
    ['another parent', { useEkParent: 'srk' as 'rsa' }, TypeError],
  ])('refuses %s before it looks for a TPM', async (_, part, type) => {
    await expect(openTpmHmac({ tpm: 'unix:/nonexistent', key: { handle: 0x81010001 }, ...part })).rejects.toThrow(type)
  })
  it('M20 refuses a TCP address', async () => {
    await expect(openTpmHmac({ tpm: 'swtpm:127.0.0.1:2321', key: { handle: 0x81010001 } })).rejects.toThrow(
      /dangerouslyAllowTcp/,
    )
  })
})
