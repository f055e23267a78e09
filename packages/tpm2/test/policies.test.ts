import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  create,
  createPrimary,
  duplicateKey,
  flushContext,
  hmac,
  hmacKeyTemplate,
  importKey,
  type LoadedObject,
  load,
  loadExternal,
  pcrRead,
  policyAuthValue,
  policyCommandCode,
  policyDuplicationSelect,
  policyGetDigest,
  policyOr,
  policyPassword,
  policyPcr,
  policySecret,
} from '../src/commands.ts'
import { nameOf, type Session, type Tpm } from '../src/index.ts'
import { startHmacSession, startPolicySession, trialPolicy } from '../src/sessions.ts'
import { type Bench, hex, loadHmacKey, SECRET, startBench } from './helpers.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.stop())

const message = Buffer.from('20260822')
const TAG = createHmac('sha256', SECRET).update(message).digest('hex')
const PASSWORD = Buffer.from('correct horse')
const selections = [
  { hash: 'sha256', pcrs: [23, 0, 7] },
  { hash: 'sha1', pcrs: [1] },
] as const
const POLICY_KEY = ['fixedTPM', 'fixedParent', 'noDA', 'sign'] as const

const pcrValues = async (tpm: Tpm): Promise<Uint8Array[]> => (await pcrRead(tpm, selections)).map(({ value }) => value)

/** One step on a new session, beside what the calculator says of it. */
async function digestOf(tpm: Tpm, steps: (session: Session) => Promise<void>): Promise<string> {
  const session = await startPolicySession(tpm)
  await steps(session)
  const digest = hex(await policyGetDigest(tpm, session))
  await flushContext(tpm, session)
  return digest
}

describe('policies', () => {
  it('have the digests that the TPM computes', async () => {
    await bench.tpm.exclusively(async (tpm) => {
      const start = trialPolicy()
      const values = await pcrValues(tpm)
      const name = nameOf((await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })).public)
      const branches = [start.pcr(selections, values).digest, start.authValue().digest]
      expect(await digestOf(tpm, (session) => policyPcr(tpm, { session, selections }))).toBe(hex(branches[0]!))
      expect(await digestOf(tpm, (session) => policyAuthValue(tpm, session))).toBe(hex(branches[1]!))
      expect(await digestOf(tpm, (session) => policyPassword(tpm, session))).toBe(hex(start.password().digest))
      expect(
        await digestOf(tpm, async (session) => {
          await policyAuthValue(tpm, session)
          await policyOr(tpm, { session, branches })
        }),
      ).toBe(hex(start.authValue().or(branches).digest))
      for (const policyRef of [undefined, Buffer.from('ref')]) {
        const init = policyRef === undefined ? {} : { policyRef }
        expect(
          await digestOf(tpm, (session) => policySecret(tpm, { session, hierarchy: 'endorsement', ...init })),
        ).toBe(hex(start.secret('endorsement', policyRef).digest))
      }
      expect(await digestOf(tpm, (session) => policyCommandCode(tpm, { session, command: 'TPM2_HMAC' }))).toBe(
        hex(start.commandCode('TPM2_HMAC').digest),
      )
      const select = { newParentName: name, objectName: name }
      for (const includeObject of [false, true]) {
        expect(
          await digestOf(tpm, (session) => policyDuplicationSelect(tpm, { session, ...select, includeObject })),
        ).toBe(hex(start.duplicationSelect(name, includeObject ? name : undefined).digest))
      }
    })
    expect(() => trialPolicy().or([trialPolicy().digest])).toThrow(RangeError)
  })

  it('of PCRs: use, and refusal once another value is wanted', async () => {
    await bench.tpm.exclusively(async (tpm) => {
      const authPolicy = trialPolicy().pcr(selections, await pcrValues(tpm)).digest
      const { key } = await loadHmacKey(tpm, { authPolicy, attributes: POLICY_KEY })
      const session = await startPolicySession(tpm)
      const attempt = (): Promise<Uint8Array> => hmac(tpm, { key, message, auth: session })
      await policyPcr(tpm, { session, selections })
      expect(hex(await attempt())).toBe(TAG)
      // The TPM has reset the policy: it must be satisfied anew.
      await expect(attempt()).rejects.toMatchObject({ code: 'ERR_TPM_POLICY_FAIL' })
      await policyPcr(tpm, { session, selections: [{ hash: 'sha256', pcrs: [0] }] })
      await expect(attempt()).rejects.toMatchObject({ code: 'ERR_TPM_POLICY_FAIL' })
      await expect(policyPcr(tpm, { session, selections, pcrDigest: new Uint8Array(32) })).rejects.toMatchObject({
        code: 'ERR_TPM_RC',
        message: 'TPM2_PolicyPCR: TPM_RC_VALUE, parameter 1 (0x1c4)',
      })
      // Its policy is the only way: attribute userWithAuth is not set.
      await expect(hmac(tpm, { key, message })).rejects.toMatchObject({ code: 'ERR_TPM_RC' })
    })
  })

  it.each([
    ['authValue', policyAuthValue, false],
    ['authValue', policyAuthValue, true],
    ['password', policyPassword, false],
    ['password', policyPassword, true],
  ] as const)('of the %s, by %p, salted: %p', async (_, step, salted) => {
    await bench.tpm.exclusively(async (tpm) => {
      const authPolicy = trialPolicy().authValue().digest
      const { parent, key } = await loadHmacKey(tpm, { authPolicy, attributes: POLICY_KEY, userAuth: PASSWORD })
      const session = await startPolicySession(tpm, salted ? { salt: parent } : {})
      let resets = true
      for (const [authValue, code] of [
        [PASSWORD, undefined],
        [Buffer.from('wrong'), 'ERR_TPM_AUTH_FAIL'],
        [PASSWORD, undefined],
      ] as const) {
        // A command that failed leaves the policy as it was; one that worked resets it.
        if (resets) await step(tpm, session)
        resets = code === undefined
        const from = bench.proxy.transcript.length
        const done = hmac(tpm, { key, message, auth: { session, authValue } })
        if (code === undefined) expect(hex(await done)).toBe(TAG)
        else await expect(done).rejects.toMatchObject({ code })
        const clear = bench.proxy.transcript.slice(from).some((it) => Buffer.from(it).includes(authValue))
        expect(clear).toBe(step === policyPassword)
      }
    })
  })
})

describe('transferred keys', () => {
  const transferable = ['sign'] as const

  it('go to another parent by policy OR of password and duplication, wrapped by the TPM', async () => {
    const start = trialPolicy()
    await bench.tpm.exclusively(async (tpm) => {
      const target = await createPrimary(tpm, { hierarchy: 'endorsement', template: 'ek-rsa' })
      await flushContext(tpm, target)
      const branches = [start.authValue().digest, start.duplicationSelect(nameOf(target.public)).digest]
      const authPolicy = start.or(branches).digest

      const source = await createPrimary(tpm, { hierarchy: 'owner', template: 'srk-ecc' })
      const made = await create(tpm, {
        parent: source,
        template: hmacKeyTemplate({ attributes: transferable, authPolicy }),
        sensitiveData: SECRET,
        userAuth: PASSWORD,
      })
      const key = await load(tpm, { parent: source, ...made })
      await flushContext(tpm, source)
      const newParent = await loadExternal(tpm, { public: target.public })
      const session = await startPolicySession(tpm)
      await policyDuplicationSelect(tpm, { session, objectName: key.name, newParentName: newParent.name })
      await policyOr(tpm, { session, branches })
      const wrapped = await duplicateKey(tpm, { object: key, newParent, auth: session })
      for (const it of [session, key, newParent]) await flushContext(tpm, it)
      expect(hex(await useUnderEk(tpm, { ...made, ...wrapped }, branches))).toBe(TAG)
    })
  })

  it('have a session for their parent, as endorsement keys want', async () => {
    await bench.tpm.exclusively(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'endorsement', template: 'ek-rsa' })
      const made = { public: hmacKeyTemplate({ attributes: transferable }), private: new Uint8Array(2) }
      await expect(load(tpm, { parent, ...made })).rejects.toMatchObject({ code: 'ERR_TPM_RC' })
    })
  })

  async function useUnderEk(
    tpm: Tpm,
    wrapped: Omit<Parameters<typeof importKey>[1], 'parent'>,
    branches: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    const parent = await createPrimary(tpm, { hierarchy: 'endorsement', template: 'ek-rsa' })
    const encrypting = await startHmacSession(tpm, { salt: parent })
    const forParent = await startPolicySession(tpm)
    await policySecret(tpm, { session: forParent, hierarchy: 'endorsement' })
    const imported = await importKey(tpm, { ...wrapped, parent, auth: forParent })
    await policySecret(tpm, { session: forParent, hierarchy: 'endorsement' })
    const key: LoadedObject = await load(tpm, { parent, auth: forParent, ...imported })
    await policyAuthValue(tpm, forParent)
    await policyOr(tpm, { session: forParent, branches })
    return hmac(tpm, { key, message, auth: { session: forParent, authValue: PASSWORD }, sessions: [encrypting] })
  }
})
