import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createPrimary,
  flushContext,
  hmac,
  hmacKeyTemplate,
  importKey,
  load,
  policySecret,
  wrapHmacKey,
} from '../src/commands.ts'
import { nameOf, TEMPLATES, type TemplateName } from '../src/index.ts'
import { startHmacSession, startPolicySession } from '../src/sessions.ts'
import { type Bench, hex, SECRET, startBench } from './helpers.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.stop())

const message = Buffer.from('20260822')
const TAG = createHmac('sha256', SECRET).update(message).digest('hex')
const PASSWORD = Buffer.from('correct horse')
const template = hmacKeyTemplate({ attributes: ['userWithAuth', 'sign', 'noDA'] })

describe('wrapHmacKey', () => {
  it.each(
    (Object.keys(TEMPLATES) as TemplateName[]).flatMap((parent) =>
      [false, true].map((innerWrapper) => ({ parent, innerWrapper })),
    ),
  )('wraps for $parent, inner wrapper: $innerWrapper', async ({ parent: name, innerWrapper }) => {
    const isEk = name.startsWith('ek')
    await bench.tpm.exclusively(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: isEk ? 'endorsement' : 'owner', template: name })
      const from = bench.proxy.transcript.length
      const wrapped = wrapHmacKey({ parent: parent.public, template, key: SECRET, userAuth: PASSWORD, innerWrapper })
      expect(wrapped.encryptionKey === undefined).toBe(!innerWrapper)
      const session = isEk ? await startPolicySession(tpm) : await startHmacSession(tpm)
      const allow = async (): Promise<void> => {
        if (isEk) await policySecret(tpm, { session, hierarchy: 'endorsement' })
      }
      await allow()
      const imported = await importKey(tpm, { parent, auth: session, ...wrapped })
      await allow()
      const key = await load(tpm, { parent, auth: session, ...imported })
      expect(hex(key.name)).toBe(hex(nameOf(wrapped.public)))
      const encrypting = await startHmacSession(tpm, { salt: parent })
      const auth = { session: encrypting, authValue: PASSWORD }
      expect(hex(await hmac(tpm, { key, message, auth }))).toBe(TAG)
      await expect(hmac(tpm, { key, message })).rejects.toMatchObject({ code: 'ERR_TPM_AUTH_FAIL' })
      for (const secret of [SECRET, PASSWORD]) {
        expect(bench.proxy.transcript.slice(from).some((it) => Buffer.from(it).includes(secret))).toBe(false)
      }
    })
  })

  it('can not be imported elsewhere, or with a changed public area', async () => {
    await bench.tpm.exclusively(async (tpm) => {
      const other = await createPrimary(tpm, { hierarchy: 'owner', template: 'srk-ecc' })
      await flushContext(tpm, other)
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      const elsewhere = wrapHmacKey({ parent: other.public, template, key: SECRET })
      await expect(importKey(tpm, { parent, ...elsewhere })).rejects.toMatchObject({ code: 'ERR_TPM_RC' })
      const here = wrapHmacKey({ parent: parent.public, template, key: SECRET })
      const changed = { ...here.public, attributes: ['userWithAuth', 'sign'] as const }
      await expect(importKey(tpm, { parent, ...here, public: changed })).rejects.toMatchObject({
        message: expect.stringContaining('TPM_RC_INTEGRITY'),
      })
    })
  })

  it('refuses what no TPM would take', () => {
    const parent = TEMPLATES['h2-ecc']
    const wrap = (init: Partial<Parameters<typeof wrapHmacKey>[0]>): unknown =>
      wrapHmacKey({ parent, template, key: SECRET, ...init })
    expect(() => wrap({ key: new Uint8Array() })).toThrow(RangeError)
    expect(() => wrap({ key: new Uint8Array(65) })).toThrow(RangeError)
    expect(() => wrap({ userAuth: new Uint8Array(33) })).toThrow(RangeError)
    expect(() => wrap({ template: { ...template, attributes: ['fixedTPM', 'sign'] } })).toThrow(TypeError)
    expect(() => wrap({ template: { ...template, scheme: { scheme: 'xor', hash: 'sha256', kdf: 0x22 } } })).toThrow(
      TypeError,
    )
    expect(() => wrap({ parent: { ...parent, attributes: ['decrypt'] } })).toThrow(TypeError)
    expect(() => wrap({ parent: template })).toThrow(TypeError)
    // A template has no key in it: not a point of the curve.
    expect(() => wrap({})).toThrow(expect.objectContaining({ code: 'ERR_TPM_UNTRUSTED' }))
    expect(() => wrap({ parent: TEMPLATES['h1-rsa'] })).toThrow(expect.objectContaining({ code: 'ERR_TPM_UNTRUSTED' }))
  })
})
