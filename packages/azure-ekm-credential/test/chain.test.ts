import { ChainedTokenCredential, type TokenCredential } from '@azure/identity'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { confidentialSpaceLauncher, EkmCredential, type EkmCredentialInit } from '../src/index.ts'
import { type Harness, MANAGEMENT, rejection, SCOPE, startHarness } from './harness.ts'
import { startScriptedBroker } from './scripted-broker.ts'

let harness: Harness
beforeAll(async () => {
  harness = await startHarness()
})
afterAll(() => harness.close())

/** Asks a chain of an attested credential and another one. */
async function ask(other: Partial<EkmCredentialInit>, scope: string | string[] = SCOPE, options = {}) {
  const next = jest.fn<TokenCredential['getToken']>(async () => ({ token: 'of the next', expiresOnTimestamp: 1 }))
  const chain = new ChainedTokenCredential(new EkmCredential(harness.init({ maxAttempts: 1, ...other })), {
    getToken: next,
  })
  const outcome: unknown = await chain.getToken(scope, options).catch((error: unknown) => error)
  return { outcome, asked: next.mock.calls.length }
}

describe('in ChainedTokenCredential', () => {
  it('gives its token', async () => {
    const { outcome, asked } = await ask({})
    expect(harness.entra.tokenFor((outcome as { token: string }).token)).toBeDefined()
    expect(asked).toBe(0)
  })

  it('lets the next one try where there is no launcher', async () => {
    const attestation = confidentialSpaceLauncher({ socketPath: '/nowhere/teeserver.sock' })
    expect(await ask({ attestation })).toMatchObject({ outcome: { token: 'of the next' }, asked: 1 })
  })

  it('lets the next one try where there is no broker', async () => {
    const broker = { ...harness.broker, address: '127.0.0.1:1' }
    expect(await ask({ broker })).toMatchObject({ outcome: { token: 'of the next' }, asked: 1 })
  })

  it.each([429, 503])('lets the next one try where the broker answers %d', async (status) => {
    const scripted = await startScriptedBroker(harness.pki, () => ({ status }))
    expect(await ask({ broker: scripted.broker })).toMatchObject({ outcome: { token: 'of the next' }, asked: 1 })
    await scripted.close()
  })

  it('stops where the broker said no', async () => {
    const { outcome, asked } = await ask({}, MANAGEMENT)
    expect(outcome).toMatchObject({ code: 'ERR_EKM_BROKER_REFUSED', name: 'AuthenticationError' })
    expect(asked).toBe(0)
  })

  it('stops where somebody else is in the broker’s place', async () => {
    const other = await startHarness()
    const { outcome, asked } = await ask({ broker: { ...harness.broker, ca: other.broker.ca! } })
    await other.close()
    expect(outcome).toMatchObject({ code: 'ERR_EKM_BROKER_UNTRUSTED' })
    expect(asked).toBe(0)
  })

  it('C14 stops at what it does not support, and at an abort', async () => {
    expect(await ask({}, SCOPE, { claims: '{}' })).toMatchObject({ outcome: { code: 'ERR_EKM_UNSUPPORTED' }, asked: 0 })
    expect(await ask({}, [])).toMatchObject({ outcome: { code: 'ERR_EKM_SCOPE' }, asked: 0 })
    const abortSignal = AbortSignal.abort()
    expect(await ask({}, SCOPE, { abortSignal })).toMatchObject({ outcome: { name: 'AbortError' }, asked: 0 })
  })

  it('is named in what the chain says when nobody has a token', async () => {
    const attestation = confidentialSpaceLauncher({ socketPath: '/nowhere/teeserver.sock' })
    const chain = new ChainedTokenCredential(new EkmCredential(harness.init({ attestation })))
    const error = await rejection(chain.getToken(SCOPE))
    expect(error.name).toBe('AggregateAuthenticationError')
    expect(error.message).toContain('no launcher at /nowhere/teeserver.sock')
  })
})
