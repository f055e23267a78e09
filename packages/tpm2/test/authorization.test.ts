import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hmac, tpmProperty } from '../src/commands.ts'
import { startHmacSession } from '../src/sessions.ts'
import { type Bench, loadHmacKey, startBench } from './helpers.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.stop())

describe('M03 a wrong password', () => {
  it('counts once each time, until the TPM locks itself', async () => {
    const PASSWORD = Buffer.from('correct horse')
    const message = Buffer.from('20260822')
    await bench.tpm.exclusively(async (tpm) => {
      const { parent, key } = await loadHmacKey(tpm, { userAuth: PASSWORD })
      const session = await startHmacSession(tpm, { salt: parent })
      await hmac(tpm, { key, message, auth: { password: PASSWORD } })
      const wrong = { session, authValue: Buffer.from('wrong') }
      const most = await tpmProperty(tpm, 'maxAuthFail')
      for (let failures = 0; failures < most; failures++) {
        expect(await tpmProperty(tpm, 'lockoutCounter')).toBe(failures)
        const failed = hmac(tpm, { key, message, auth: failures % 2 === 0 ? { password: Buffer.from('no') } : wrong })
        await expect(failed).rejects.toMatchObject({ code: 'ERR_TPM_AUTH_FAIL', rc: 0x98e })
      }
      for (const auth of [{ password: PASSWORD }, { session, authValue: PASSWORD }]) {
        await expect(hmac(tpm, { key, message, auth })).rejects.toMatchObject({ code: 'ERR_TPM_LOCKOUT', rc: 0x921 })
      }
      const env = { ...process.env, TPM2TOOLS_TCTI: bench.proxy.tpm2ToolsTcti }
      await promisify(execFile)('tpm2_dictionarylockout', ['-c'], { env })
      expect(await hmac(tpm, { key, message, auth: { session, authValue: PASSWORD } })).toHaveLength(32)
    })
  })
})
