import { createHash, createHmac, createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  create,
  createPrimary,
  evictControl,
  flushContext,
  getCapability,
  hmac,
  hmacSequence,
  load,
  pcrRead,
  readPublic,
  sign,
  tpmProperty,
  unseal,
} from '../src/commands.ts'
import { nameOf, TEMPLATES, type TemplateName } from '../src/index.ts'
import { startHmacSession } from '../src/sessions.ts'
import { type Bench, hex, loadHmacKey, SECRET, startBench } from './helpers.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.stop())

const expected = (message: Uint8Array): string => createHmac('sha256', SECRET).update(message).digest('hex')

describe('commands', () => {
  it.each(Object.keys(TEMPLATES) as TemplateName[])(
    'makes the same primary key twice from template %s',
    async (template) => {
      const hierarchy = template.startsWith('ek') ? 'endorsement' : 'owner'
      const names = await bench.tpm.exclusively(async (tpm) => {
        const [a, b] = [
          await createPrimary(tpm, { hierarchy, template }),
          await createPrimary(tpm, { hierarchy, template }),
        ]
        const { name, public: area, qualifiedName } = await readPublic(tpm, { handle: a })
        expect(area).toEqual(a.public)
        expect(qualifiedName).toHaveLength(34)
        return [a.name, b.name, name, nameOf(area)].map(hex)
      })
      expect(new Set(names).size).toBe(1)
    },
  )

  it('takes a key from outside, and gives its HMACs', async () => {
    const message = Buffer.from('20260822')
    const tag = await bench.tpm.exclusively(async (tpm) => hmac(tpm, { ...(await loadHmacKey(tpm)), message }))
    expect(hex(tag)).toBe(expected(message))
  })

  it.each([0, 1, 1023, 1024, 1025, 2048, 5000])('makes the HMAC of %i octets', async (length) => {
    const message = new Uint8Array(length).map((_, at) => at)
    const { key } = await bench.tpm.exclusively(async (tpm) => {
      const loaded = await loadHmacKey(tpm)
      expect(hex(await hmacSequence(tpm, { ...loaded, message }))).toBe(expected(message))
      return loaded
    })
    await expect(hmac(bench.tpm, { key, message: new Uint8Array(1) })).rejects.toMatchObject({ code: 'ERR_TPM_RC' })
  })

  it('keeps a key at a persistent handle', async () => {
    const persistentHandle = 0x81000100
    await bench.tpm.exclusively(async (tpm) => {
      const { key } = await loadHmacKey(tpm)
      await evictControl(tpm, { object: key, persistentHandle })
    })
    const key = await readPublic(bench.tpm, { handle: persistentHandle })
    const message = Buffer.from('20260822')
    expect(hex(await hmac(bench.tpm, { key, message }))).toBe(expected(message))
    expect(await getCapability(bench.tpm, { capability: 'handles', from: 0x81000000 })).toContainEqual({
      id: persistentHandle,
    })
    await expect(
      readPublic(bench.tpm, { handle: persistentHandle, expectName: nameOf(TEMPLATES['h2-ecc']) }),
    ).rejects.toMatchObject({ code: 'ERR_TPM_UNTRUSTED' })
    await evictControl(bench.tpm, { object: key, persistentHandle })
    await expect(readPublic(bench.tpm, { handle: persistentHandle })).rejects.toMatchObject({
      code: 'ERR_TPM_RC',
      rc: 0x18b,
      message: 'TPM2_ReadPublic: TPM_RC_HANDLE, handle 1 (0x18b)',
    })
    await expect(evictControl(bench.tpm, { object: key, persistentHandle: 0x40000001 })).rejects.toThrow(RangeError)
  })

  it('signs with ECDSA, RSASSA, RSAPSS and HMAC', async () => {
    const message = Buffer.from('to be signed')
    const digest = createHash('sha256').update(message).digest()
    const attributes = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'sign'] as const
    const common = { nameAlg: 'sha256', attributes, authPolicy: new Uint8Array() } as const
    await bench.tpm.exclusively(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'srk-ecc' })
      const empty = new Uint8Array()
      const ecc = await create(tpm, {
        parent,
        template: { ...common, type: 'ecc', curve: 'p256', x: empty, y: empty },
      })
      const key = await load(tpm, { parent, ...ecc })
      if (key.public.type !== 'ecc') throw new Error('not the key that was asked for')
      const [x, y] = [key.public.x, key.public.y].map((it) => Buffer.from(it).toString('base64url'))
      const ecdsa = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x!, y: y! }, format: 'jwk' })
      const signature = await sign(tpm, { key, digest, scheme: 'ecdsa' })
      expect(verify('sha256', message, { key: ecdsa, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
      await flushContext(tpm, key)

      const rsa = await create(tpm, {
        parent,
        template: { ...common, type: 'rsa', keyBits: 2048, exponent: 0, modulus: empty },
      })
      const rsaKey = await load(tpm, { parent, ...rsa })
      if (rsaKey.public.type !== 'rsa') throw new Error('not the key that was asked for')
      const n = Buffer.from(rsaKey.public.modulus).toString('base64url')
      const publicKey = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
      const pkcs1 = await sign(tpm, { key: rsaKey, digest, scheme: 'rsassa' })
      expect(verify('sha256', message, publicKey, pkcs1)).toBe(true)
      const pss = await sign(tpm, { key: rsaKey, digest, scheme: 'rsapss' })
      expect(verify('sha256', message, { key: publicKey, padding: 6 }, pss)).toBe(true)
      await expect(sign(tpm, { key, digest: empty, scheme: 'rsassa' })).rejects.toThrow(RangeError)
    })
    await bench.tpm.exclusively(async (tpm) => {
      const tag = await sign(tpm, { ...(await loadHmacKey(tpm)), digest, scheme: 'hmac' })
      expect(hex(tag)).toBe(expected(digest))
    })
  })

  it('unseals what it has sealed', async () => {
    await bench.tpm.exclusively(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      const session = await startHmacSession(tpm, { salt: parent })
      const sealed = await create(tpm, {
        parent,
        template: {
          type: 'keyedhash',
          nameAlg: 'sha256',
          attributes: ['fixedTPM', 'fixedParent', 'userWithAuth'],
          authPolicy: new Uint8Array(),
          unique: new Uint8Array(),
        },
        sensitiveData: Buffer.from('sealed'),
        userAuth: Buffer.from('pass'),
        sessions: [session],
      })
      const object = await load(tpm, { parent, ...sealed })
      const auth = { session, authValue: Buffer.from('pass') }
      expect(Buffer.from(await unseal(tpm, { object, auth })).toString()).toBe('sealed')
      await expect(unseal(tpm, { object, auth: { password: Buffer.from('wrong') } })).rejects.toMatchObject({
        code: 'ERR_TPM_AUTH_FAIL',
      })
    })
  })

  it('M04 reads PCRs with a session, so that nobody in between can put others in their place', async () => {
    const selections = [{ hash: 'sha256', pcrs: [0, 16, 23] }] as const
    const plain = await pcrRead(bench.tpm, selections)
    await bench.tpm.exclusively(async (tpm) => {
      const salt = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      const session = await startHmacSession(tpm, { salt })
      for (let times = 0; times < 2; times++) {
        expect(await pcrRead(tpm, selections, { sessions: [session] })).toEqual(plain)
        await pcrRead(tpm, selections)
      }
      expect((await readPublic(tpm, { handle: salt, sessions: [session] })).name).toEqual(salt.name) // still encrypts
      bench.proxy.fault = ({ commandCode }) =>
        commandCode === 0x17e
          ? { response: (it) => Uint8Array.from(it, (octet, at) => (at === 40 ? octet ^ 1 : octet)) }
          : undefined
      const read = pcrRead(tpm, selections, { sessions: [session] })
      await expect(read).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    })
    bench.proxy.fault = () => undefined
  })

  it('reads PCRs over several pages, and properties', async () => {
    const all = Array.from({ length: 24 }, (_, pcr) => pcr)
    const values = await pcrRead(bench.tpm, [
      { hash: 'sha256', pcrs: all },
      { hash: 'sha1', pcrs: [7, 0] },
    ])
    expect(values.map(({ pcr }) => pcr)).toEqual([...all, 0, 7])
    expect(hex(values[0]!.value)).toBe('00'.repeat(32))
    expect(hex(values[23]!.value)).toBe('00'.repeat(32))
    await expect(pcrRead(bench.tpm, [{ hash: 'sha256', pcrs: [24] }])).rejects.toThrow(RangeError)
    expect(await tpmProperty(bench.tpm, 'inputBuffer')).toBe(1024)
    const commands = await getCapability(bench.tpm, { capability: 'commands', from: 0x11f })
    expect(commands.length).toBeGreaterThan(80)
    expect((await getCapability(bench.tpm, { capability: 'tpmProperties', from: 0x100 })).length).toBeGreaterThan(40)
  })

  it('has left nothing in the TPM', async () => {
    for (const from of [0x80000000, 0x02000000, 0x03000000]) {
      expect(await getCapability(bench.tpm, { capability: 'handles', from })).toEqual([])
    }
  })
})
