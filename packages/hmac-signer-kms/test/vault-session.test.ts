import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { startVault, type TestVault } from '@hardbound/testkit/kms'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type OpenVaultHmacInit, openVaultHmac } from '../src/open-vault-hmac.ts'
import type { VaultAuth } from '../src/vault-auth.ts'
import { answered, DAY, hex, KEY, tagOf } from './helpers.ts'

let nowMs: number
let vault: TestVault
let backend: HmacBackend | undefined
const APP_ROLE = { appRole: { roleId: 'role', secretId: 'secret' } }

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 22)
  vault = await startVault({ now: () => nowMs })
  vault.addKey('transit', 'aws', KEY)
})
afterEach(async () => {
  await backend?.close()
  await vault.close()
})

async function openWith(auth: VaultAuth, more: Partial<OpenVaultHmacInit> = {}): Promise<void> {
  const init = { address: vault.address, key: 'aws', auth, clock: () => nowMs, dangerouslyAllowPlaintextEndpoint: true }
  backend = await openVaultHmac({ ...init, ...more })
}

/** Lets time pass, makes an HMAC, and says what else was asked. */
async function after(seconds: number): Promise<string[]> {
  nowMs += seconds * 1000
  vault.calls.length = 0
  expect(hex(await backend!.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  return vault.calls.map(({ what, status }) => `${what.replace(/.*\//, '')} ${status}`).slice(0, -1)
}

describe('M25 tokens that end', () => {
  it('renews on use when two thirds of the time are over, once for all callers', async () => {
    await openWith({ token: vault.addToken({ ttlSeconds: 900 }) })
    expect(await after(599)).toEqual([])
    nowMs += 2000
    vault.calls.length = 0
    await Promise.all([1, 2, 3].map(() => backend!.hmacSha256(DAY)))
    expect(vault.calls.filter(({ what }) => what.includes('renew'))).toHaveLength(1)
    expect(await after(599)).toEqual([])
  })

  it('starts no timer that would keep a process alive', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((it) => it === 'Timeout').length
    const before = timers()
    await openWith({ token: vault.addToken({ ttlSeconds: 900 }) })
    expect(timers()).toBe(before)
  })

  it('logs in anew where a renewal adds too little, or is not allowed', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 900, maxTtlSeconds: 1000 } })
    await openWith(APP_ROLE)
    expect(await after(700)).toEqual(['renew-self 200', 'login 200'])
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 900, renewable: false } })
    expect(await after(900)).toEqual(['login 200'])
    expect(await after(700)).toEqual(['login 200'])
  })

  it('logs in anew after the token has ended, or was revoked', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 900 } })
    await openWith(APP_ROLE)
    expect(await after(901)).toEqual(['login 200'])
    nowMs += 60_000
    vault.fault = (req, res) => {
      if (!req.url!.includes('hmac')) return false
      vault.fault = undefined
      return answered(res, 403)
    }
    expect(await after(0)).toEqual(['login 200'])
  })

  it('does not log in over and over where the policy refuses', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { keys: [] } })
    await expect(openWith(APP_ROLE)).rejects.toMatchObject({ code: 'ERR_HMAC_DENIED' })
    expect(vault.calls.filter(({ what }) => what.includes('login'))).toHaveLength(1)
  })

  it('M25 logs in once more, not with each call, where a policy comes to refuse', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 900 } })
    await openWith(APP_ROLE)
    vault.calls.length = 0
    vault.fault = (req, res) => req.url!.includes('hmac') && answered(res, 403)
    const logins = () => vault.calls.filter(({ what }) => what.includes('login')).length
    for (let call = 0; call < 55; call++) {
      nowMs += 10_001
      await expect(backend!.hmacSha256(DAY)).rejects.toMatchObject({ code: 'ERR_HMAC_DENIED' })
    }
    expect(logins()).toBe(1)
    nowMs += 900_000 // its time is over
    await expect(backend!.hmacSha256(DAY)).rejects.toMatchObject({ code: 'ERR_HMAC_DENIED' })
    expect(logins()).toBe(2)
    vault.fault = undefined
    expect(await after(11)).toEqual([]) // the policy is put right: the token that is there will do
  })

  it('M25 a token that was refused and never of use is not renewed, but replaced in time', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 900 } })
    await openWith(APP_ROLE)
    vault.fault = (req, res) => req.url!.includes('hmac') && answered(res, 403)
    for (let call = 0; call < 2; call++) {
      nowMs += 10_001
      await expect(backend!.hmacSha256(DAY)).rejects.toMatchObject({ code: 'ERR_HMAC_DENIED' })
    }
    vault.fault = undefined
    expect(await after(600)).toEqual(['login 200'])
  })

  it('M25 revokes the tokens of its own logins on close, once', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 900, maxTtlSeconds: 1000 } })
    await openWith(APP_ROLE)
    expect(await after(700)).toEqual(['renew-self 200', 'login 200']) // the first has 200 s left
    vault.calls.length = 0
    await backend!.close()
    await backend!.close()
    const revoked = { what: 'POST auth/token/revoke-self', namespace: '', status: 204 }
    expect(vault.calls).toEqual([revoked, revoked])
  })

  it('M25 never revokes a token that it was given', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hardbound-session-'))
    const tokenFile = join(folder, 'token')
    await writeFile(tokenFile, vault.addToken(), { mode: 0o600 })
    for (const auth of [{ token: vault.addToken() }, { tokenFile }]) {
      await openWith(auth)
      await after(1700)
      await backend!.close()
      expect(vault.calls.map(({ what }) => what)).not.toContain('POST auth/token/revoke-self')
    }
    await rm(folder, { recursive: true })
  })

  it('M25 close waits for no Vault that hangs, and fails with none', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret' })
    for (const fault of [() => true as const, (_: unknown, res: ServerResponse) => answered(res, 500)]) {
      vault.fault = undefined
      await openWith(APP_ROLE, { timeoutMs: 60_000 })
      vault.fault = fault
      await backend!.close()
    }
  })

  it('M25 a renewal that hangs does not fail a call whose token is good', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 900 } })
    await openWith(APP_ROLE, { timeoutMs: 900 })
    vault.fault = (req) => req.url!.includes('renew')
    expect(await after(700)).toEqual([])
    expect(await after(10)).toEqual([]) // it does not try each time
  })

  it('a login that was refused is not tried again', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret', token: { ttlSeconds: 60 } })
    await openWith(APP_ROLE)
    vault.addAppRole({ roleId: 'role', secretId: 'another' })
    nowMs += 61_000
    for (let call = 0; call < 3; call++) {
      await expect(backend!.hmacSha256(DAY)).rejects.toMatchObject({ code: 'ERR_HMAC_DENIED' })
    }
    expect(vault.calls.filter(({ status }) => status === 400)).toHaveLength(1)
  })

  it('goes on with the old token while renewals fail', async () => {
    await openWith({ token: vault.addToken({ ttlSeconds: 900 }) })
    vault.fault = (req, res) => req.url!.includes('renew') && answered(res, 503)
    expect(await after(700)).toEqual([])
    expect(await after(10)).toEqual([]) // it does not ask each time
    vault.fault = undefined
    expect(await after(100)).toEqual(['renew-self 200'])
  })

  it('a token that reaches its end is renewed no more', async () => {
    await openWith({ token: vault.addToken({ ttlSeconds: 900, maxTtlSeconds: 1000 }) })
    expect(await after(700)).toEqual(['renew-self 200'])
    expect(await after(290)).toEqual([])
    nowMs += 20_000
    await expect(backend!.hmacSha256(DAY)).rejects.toMatchObject({ code: 'ERR_HMAC_DENIED' })
  })

  it('a token without an end, and one that may not look at itself', async () => {
    await openWith({ token: vault.addToken({ ttlSeconds: 0 }) })
    expect(await after(10_000_000)).toEqual([])
    await backend!.close()
    vault.fault = (req, res) => req.url!.includes('lookup') && answered(res, 403)
    await openWith({ token: vault.addToken({ ttlSeconds: 900 }) })
    expect(await after(100)).toEqual([])
  })

  it.each([
    {},
    { auth: null },
    { auth: { client_token: '' } },
    { auth: { client_token: 'a b', lease_duration: 60 } },
    { auth: { client_token: 'abc', lease_duration: -1 } },
    { auth: { client_token: 'abc', lease_duration: '60' } },
  ])('a login answered with %j', async (answer) => {
    vault.fault = (req, res) => req.url!.includes('login') && answered(res, 200, JSON.stringify(answer))
    await expect(openWith(APP_ROLE)).rejects.toMatchObject({ code: 'ERR_HMAC_RESPONSE' })
  })

  it('a lookup that is not one', async () => {
    vault.fault = (req, res) => req.url!.includes('lookup') && answered(res, 200, '{"data":{}}')
    await expect(openWith({ token: 'hvs.abc' })).rejects.toMatchObject({ code: 'ERR_HMAC_RESPONSE' })
  })
})
