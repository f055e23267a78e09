import { createCipheriv, createPublicKey, hash } from 'node:crypto'
import { startVault, type TestVault } from '@hardbound/testkit/kms'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type ImportVaultKeyInit, importVaultKey } from '../src/import-vault-key.ts'
import { openVaultHmac } from '../src/open-vault-hmac.ts'
import { answered, answerOf, DAY, errorOf, hex, KEY, tagOf, textOf } from './helpers.ts'

let vault: TestVault
beforeEach(async () => {
  vault = await startVault()
})
afterEach(() => vault.close())

const connection = () => ({
  address: vault.address,
  auth: { token: vault.addToken() },
  dangerouslyAllowPlaintextEndpoint: true,
  timeoutMs: 20_000, // the emulator makes an RSA-4096 key
})
const importIt = (init: Partial<ImportVaultKeyInit> = {}) =>
  importVaultKey({ ...connection(), name: 'aws', key: KEY, ...init })

describe('importVaultKey', () => {
  it('puts the key in, wrapped all the way', async () => {
    const bodies: string[] = []
    vault.fault = (_, __, body) => void bodies.push(body)
    await importIt()
    const backend = await openVaultHmac({ ...connection(), key: 'aws', knownAnswer: answerOf(KEY) })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    await backend.close()
    expect(bodies.join()).not.toContain(KEY.toString('base64').slice(0, 40))
    const sent = bodies.find((it) => it.includes('"hmac"'))!
    expect(JSON.parse(sent)).toMatchObject({ exportable: false, allow_plaintext_backup: false, allow_rotation: false })
    const again = await errorOf(importIt()) // names are not overwritten
    expect(again).toMatchObject({ name: 'HmacBackendError', code: 'ERR_HMAC_KEY' })
    expect(textOf(again)).not.toContain(KEY.toString('utf8', 4))
  })

  it('M19 with a pin: takes that wrapping key and no other, before anything is sent', async () => {
    let pem = ''
    const n = Buffer.alloc(512, 0xc5).toString('base64url') // nobody's, as one with a private key takes seconds to make
    const publicKey = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
    vault.fault = (req, res) =>
      req.url!.endsWith('wrapping_key') && answered(res, 200, JSON.stringify({ data: { public_key: pem } }))
    pem = publicKey.export({ type: 'spki', format: 'pem' }).toString() // of a proxy
    await expect(importIt({ wrappingKeySha256: '0'.repeat(64) })).rejects.toMatchObject({ code: 'ERR_HMAC_UNTRUSTED' })
    expect(vault.calls.map(({ what }) => what)).toEqual(['GET auth/token/lookup-self'])
    const pin = hash('sha256', publicKey.export({ type: 'spki', format: 'der' }))
    await expect(importIt({ wrappingKeySha256: pin })).rejects.toMatchObject({ code: 'ERR_HMAC_KEY' }) // the emulator has another
    expect(vault.calls.map(({ what }) => what)).toContain('POST transit/keys/aws/import')
  })

  it('M25 revokes the token of its own login', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret' })
    await importIt({ auth: { appRole: { roleId: 'role', secretId: 'secret' } } })
    expect(vault.calls.at(-1)).toMatchObject({ what: 'POST auth/token/revoke-self', status: 204 })
  })

  it.each(['', 'no PEM', undefined])('a wrapping key that is %j', async (public_key) => {
    vault.fault = (req, res) =>
      req.url!.endsWith('wrapping_key') && answered(res, 200, JSON.stringify({ data: { public_key } }))
    await expect(importIt()).rejects.toMatchObject({ code: 'ERR_HMAC_RESPONSE' })
  })

  it.each([
    [{ name: 'a/b' }, '"name"'],
    [{ key: new Uint8Array(31) }, '"key"'],
    [{ key: new Uint8Array(513) }, '"key"'],
    [{ mount: '..' }, '"mount"'],
    [{ wrappingKeySha256: 'AB' }, '"wrappingKeySha256"'],
  ])('refuses %j', async (init, message) => {
    await expect(importIt(init)).rejects.toThrow(message)
    expect(vault.calls).toEqual([])
  })
})

describe('AES key wrap with padding', () => {
  // RFC 5649, section 6: the cipher that Node has under this name is the one that Vault expects.
  const kek = Buffer.from('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8', 'hex')
  it.each([
    ['c37b7e6492584340bed12207808941155068f738', '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a'],
    ['466f7250617369', 'afbeb0f07dfbf5419200f2ccb50bb24f'],
  ])('wraps %s', (key, wrapped) => {
    const cipher = createCipheriv('id-aes192-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
    expect(hex(Buffer.concat([cipher.update(Buffer.from(key, 'hex')), cipher.final()]))).toBe(wrapped)
  })
})
