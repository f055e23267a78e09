import { createHmac, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPrimary, flushContext, hmac, type LoadedObject, readPublic, startAuthSession } from '../src/commands.ts'
import { nameOf, type TemplateName, type Tpm } from '../src/index.ts'
import { type SessionCipher, type SessionInit, startHmacSession, startPolicySession } from '../src/sessions.ts'
import { type Bench, hex, loadHmacKey, SECRET, startBench } from './helpers.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.stop())

const message = Buffer.from('20260822')
const TAG = createHmac('sha256', SECRET).update(message).digest('hex')
const PASSWORD = Buffer.from('correct horse')

/** Whether octets crossed between client and TPM since `from`. */
const crossed = (secret: Buffer, from = 0): boolean =>
  bench.proxy.transcript.slice(from).some((octets) => Buffer.from(octets).includes(secret))

/** A key to send salts to, and one to authorise; three slots are not enough for two parents. */
async function withKeys<T>(template: TemplateName, work: (tpm: Tpm, salt: LoadedObject) => Promise<T>): Promise<T> {
  return bench.tpm.exclusively(async (tpm) => work(tpm, await createPrimary(tpm, { hierarchy: 'owner', template })))
}

const ciphers: SessionCipher[] = ['aes-128-cfb', 'xor']
const hashes = ['sha1', 'sha256', 'sha384', 'sha512'] as const
const salts: TemplateName[] = ['h2-ecc', 'srk-rsa']

describe('sessions', () => {
  describe.each(salts)('salted for %s', (template) => {
    it.each(ciphers.flatMap((cipher) => hashes.map((hash) => ({ cipher, hash }))))(
      'authorise and encrypt with $cipher, $hash',
      async (init) => {
        const from = bench.proxy.transcript.length
        const tag = await withKeys(template, async (tpm, salt) => {
          const session = await startHmacSession(tpm, { salt, ...init })
          const { key } = await loadHmacKey(tpm, { userAuth: PASSWORD, sessions: [session] })
          const first = await hmac(tpm, { key, message, auth: { session, authValue: PASSWORD } })
          // The second one builds on the nonces of the first.
          expect(hex(await hmac(tpm, { key, message, auth: { session, authValue: PASSWORD } }))).toBe(hex(first))
          return first
        })
        expect(hex(tag)).toBe(TAG)
        for (const secret of [SECRET, PASSWORD, Buffer.from(tag), message]) expect(crossed(secret, from)).toBe(false)
      },
    )
  })

  it('M17 without a session, secret, password and tag do cross', async () => {
    const from = bench.proxy.transcript.length
    const tag = await bench.tpm.exclusively(async (tpm) => {
      const { key } = await loadHmacKey(tpm, { userAuth: PASSWORD })
      return hmac(tpm, { key, message, auth: { password: PASSWORD } })
    })
    for (const secret of [SECRET, PASSWORD, Buffer.from(tag), message]) expect(crossed(secret, from)).toBe(true)
  })

  it('encrypt beside a session that authorises, and beside a password', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const encrypting = await startHmacSession(tpm, { salt })
      const plain = await startHmacSession(tpm)
      expect([encrypting.encrypts, plain.encrypts]).toEqual([true, false])
      const { key } = await loadHmacKey(tpm, { userAuth: PASSWORD, sessions: [encrypting] })
      const from = bench.proxy.transcript.length
      for (const auth of [{ session: plain, authValue: PASSWORD }, { password: PASSWORD }]) {
        const tag = await hmac(tpm, { key, message, auth, sessions: [encrypting] })
        expect(hex(tag)).toBe(TAG)
      }
      expect(crossed(message, from)).toBe(false)
      expect(crossed(Buffer.from(TAG, 'hex'), from)).toBe(false)
      // ReadPublic can encrypt its response only.
      expect(hex((await readPublic(tpm, { handle: key, sessions: [encrypting] })).name)).toBe(hex(key.name))
    })
  })

  it.each([
    ['bound', false],
    ['bound and salted', true],
  ])('%s to the key that they authorise, and to another', async (_, salted) => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const { key } = await loadHmacKey(tpm, { userAuth: PASSWORD })
      const init: SessionInit = salted ? { salt } : {}
      const from = bench.proxy.transcript.length
      const session = await startHmacSession(tpm, { ...init, bind: { object: key, authValue: PASSWORD } })
      expect(session.encrypts).toBe(true)
      const auth = { session, authValue: PASSWORD }
      expect(hex(await hmac(tpm, { key, message, auth }))).toBe(TAG)
      const toParent = await startHmacSession(tpm, { ...init, bind: { object: salt, authValue: new Uint8Array() } })
      expect(hex(await hmac(tpm, { key, message, auth: { session: toParent, authValue: PASSWORD } }))).toBe(TAG)
      expect(crossed(message, from)).toBe(false)
      expect(crossed(PASSWORD, from)).toBe(false)
    })
  })

  it('take a policy session for encryption, too', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const { key } = await loadHmacKey(tpm)
      const session = await startPolicySession(tpm, { salt })
      expect(hex(await hmac(tpm, { key, message, sessions: [session] }))).toBe(TAG)
    })
  })

  it('count an authorisation value without the zeros at its end', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const session = await startHmacSession(tpm, { salt })
      const { key } = await loadHmacKey(tpm, { userAuth: Buffer.from('ab\0\0') })
      for (const value of ['ab', 'ab\0', 'ab\0\0\0']) {
        const auth = { session, authValue: Buffer.from(value) }
        expect(hex(await hmac(tpm, { key, message, auth }))).toBe(TAG)
      }
    })
  })

  it('go on after a wrong password', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const session = await startHmacSession(tpm, { salt })
      const { key } = await loadHmacKey(tpm, {
        userAuth: PASSWORD,
        attributes: ['fixedTPM', 'fixedParent', 'userWithAuth', 'sign', 'noDA'],
      })
      const wrong = { session, authValue: Buffer.from('wrong') }
      await expect(hmac(tpm, { key, message, auth: wrong })).rejects.toMatchObject({ code: 'ERR_TPM_AUTH_FAIL' })
      expect(hex(await hmac(tpm, { key, message, auth: { session, authValue: PASSWORD } }))).toBe(TAG)
    })
  })

  it('M18 refuse to encrypt without a secret', async () => {
    await expect(startHmacSession(bench.tpm, { encrypt: true })).rejects.toThrow(TypeError)
    await expect(startPolicySession(bench.tpm, { encrypt: true })).rejects.toThrow(TypeError)
    const session = await bench.tpm.exclusively((tpm) => startHmacSession(tpm))
    expect(session.encrypts).toBe(false)
  })

  it('M19 refuse a salt key that does not have the pinned name, before anything is sent', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const pinned = await startHmacSession(tpm, { salt: { ...salt, expectName: nameOf(salt.public) } })
      expect(pinned.encrypts).toBe(true)
      const before = bench.proxy.exchanges.length
      const { public: other } = await createPrimary(tpm, { hierarchy: 'endorsement', template: 'ek-ecc' })
      const expectName = nameOf(other)
      for (const start of [startHmacSession, startPolicySession]) {
        await expect(start(tpm, { salt: { ...salt, expectName } })).rejects.toMatchObject({ code: 'ERR_TPM_UNTRUSTED' })
      }
      expect(bench.proxy.exchanges).toHaveLength(before + 1)
    })
  })

  it('M19 give a key that is not at that handle nothing', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const other = await createPrimary(tpm, { hierarchy: 'owner', template: 'srk-ecc' })
      await flushContext(tpm, other)
      // The TPM decrypts the salt with the key that it has, and gets something else.
      const session = await startHmacSession(tpm, { salt: { handle: salt.handle, public: other.public } })
      await expect(hmac(tpm, { key: salt, message, sessions: [session] })).rejects.toMatchObject({
        code: 'ERR_TPM_AUTH_FAIL',
      })
    })
  })

  it.each(['nonce', 'hmac', 'attributes', 'parameters'])('refuse a response whose %s was changed', async (what) => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const session = await startHmacSession(tpm, { salt })
      const { key } = await loadHmacKey(tpm)
      bench.proxy.fault = () => ({
        response: (response) => {
          const bytes = Uint8Array.from(response)
          const at = { nonce: -34 - 1 - 32, attributes: -35, hmac: -1, parameters: 17 - bytes.length }[what]!
          bytes[bytes.length + at]! ^= 1
          return bytes
        },
      })
      const failed = hmac(tpm, { key, message, auth: session })
      await expect(failed).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
      bench.proxy.fault = () => undefined
      // Who changes answers gets no second try on the same connection.
      await expect(hmac(tpm, { key, message })).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    })
    expect(
      await bench.tpm.exclusively(async (tpm) => hex(await hmac(tpm, { ...(await loadHmacKey(tpm)), message }))),
    ).toBe(TAG)
  })

  it('refuse a replayed response', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const session = await startHmacSession(tpm, { salt })
      const { key } = await loadHmacKey(tpm)
      await hmac(tpm, { key, message, auth: session })
      const { response } = bench.proxy.exchanges.at(-1)!
      bench.proxy.fault = () => ({ answer: response })
      await expect(hmac(tpm, { key, message, auth: session })).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
      bench.proxy.fault = () => undefined
    })
  })

  it('refuse sessions that are not ours, too many, and authorisations that the command does not take', async () => {
    await withKeys('h2-ecc', async (tpm, salt) => {
      const { key } = await loadHmacKey(tpm)
      const sessions = [await startHmacSession(tpm), await startHmacSession(tpm, { salt }), await startHmacSession(tpm)]
      await expect(hmac(tpm, { key, message, sessions })).rejects.toThrow('at most three sessions')
      const strange = { ...sessions[0]! }
      await expect(hmac(tpm, { key, message, auth: strange })).rejects.toThrow(TypeError)
      await expect(
        tpm.execute({ command: 'TPM2_HMAC', handles: [key.handle], parameters: new Uint8Array() }),
      ).rejects.toThrow('readPublic')
      await expect(tpm.execute({ command: 'TPM2_HMAC', handles: [], parameters: new Uint8Array() })).rejects.toThrow(
        TypeError,
      )
      expect(JSON.stringify(sessions[1])).toMatch(/^\{"handle":\d+,"kind":"hmac","encrypts":true\}$/)
    })
  })

  it('of the trial kind have a digest, and nothing else', async () => {
    await bench.tpm.exclusively(async (tpm) => {
      const nonceCaller = new Uint8Array(randomBytes(16))
      const encryptedSalt = new Uint8Array()
      const { nonceTpm } = await startAuthSession(tpm, {
        kind: 'trial',
        hash: 'sha256',
        nonceCaller,
        encryptedSalt,
        cipher: undefined,
      })
      expect(nonceTpm.length).toBeGreaterThanOrEqual(16)
    })
  })
})
