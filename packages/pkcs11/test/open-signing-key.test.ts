import { createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from '@jest/globals'
import type { Pkcs11Error } from '../src/index.ts'
import type { SignatureScheme } from '../src/signing-key.ts'
import { faults, rejection } from './helpers.ts'
import {
  count,
  ES256,
  isGood,
  keygen,
  MESSAGE,
  PS256,
  path,
  RS256,
  run,
  softHsm,
  start,
  uriWith,
} from './signing-token.ts'

const HASHES = ['sha256', 'sha384', 'sha512'] as const

describe('openPkcs11SigningKey', () => {
  const CASES = [
    ...HASHES.map((hash) => ['rsa', { scheme: 'rsassa-pkcs1-v1_5', hash }] as const),
    ...HASHES.map((hash) => ['rsa', { scheme: 'rsassa-pss', hash }] as const),
    ...['p256', 'p384', 'p521', 'imported'].flatMap((it) =>
      HASHES.map((hash) => [it, { scheme: 'ecdsa', hash }] as const),
    ),
  ]
  it.each(CASES)('signs with %s as %p, which Node and openssl verify', async (label, scheme) => {
    const key = await start(label)
    expect(key.name).toBe('pkcs11')
    const signature = await key.sign(MESSAGE, scheme)
    expect(isGood(key, scheme, signature)).toBe(true)
    await writeFile(path('message'), MESSAGE)
    await writeFile(path('signature'), signature)
    await writeFile(path('public.pem'), key.publicKey.export({ type: 'spki', format: 'pem' }))
    const salt = `rsa_pss_saltlen:${Number(scheme.hash.slice(3)) / 8}`
    const pss = scheme.scheme === 'rsassa-pss' ? ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', salt] : []
    const files = ['-verify', path('public.pem'), '-signature', path('signature'), path('message')]
    expect((await run('openssl', ['dgst', `-${scheme.hash}`, ...pss, ...files])).stdout).toContain('Verified OK')
  })

  it('has the public key that pkcs11-tool reads', async () => {
    for (const label of ['rsa', 'p256']) {
      const [key, file] = [await start(label), path('read.der')]
      await softHsm.tool('--read-object', '--type', 'pubkey', '--label', label, '--output-file', file)
      const read = createPublicKey({ key: await readFile(file), format: 'der', type: 'spki' })
      expect(key.publicKey.equals(read)).toBe(true)
      expect(key).not.toHaveProperty('certificate')
    }
  })

  it.each(['object=rsa', 'object=rsa;type=private', 'id=%01', 'object=rsa;id=%01;type=private'])(
    'finds the key by %s',
    async (names) => {
      const key = await start('', { uri: uriWith(names) })
      expect(isGood(key, RS256, await key.sign(MESSAGE, RS256))).toBe(true)
    },
  )

  it.each(['object=imported', 'id=%0a%01', 'object=its%20certificate;type=cert', 'id=%0a%01;type=cert'])(
    'has the certificate beside the key, and its public key where no other is there: %s',
    async (names) => {
      const key = await start('', { uri: uriWith(names) })
      expect(Buffer.from(key.certificate!)).toEqual(await readFile(path('imported.der')))
      expect(new X509Certificate(key.certificate!).publicKey.equals(key.publicKey)).toBe(true)
      expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
    },
  )

  it('has a token hash that does not sign hashes', async () => {
    faults.replace('C_GetMechanismList', (real, slot) =>
      (real(slot) as number[]).filter((it) => ![0x1, 0xd, 0x1041].includes(it)),
    )
    const key = await start('rsa')
    for (const hash of HASHES) {
      for (const scheme of ['rsassa-pkcs1-v1_5', 'rsassa-pss'] as const) {
        expect(isGood(key, { scheme, hash }, await key.sign(MESSAGE, { scheme, hash }))).toBe(true)
      }
    }
    const ec = await start('p256')
    await expect(ec.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_KEY' }) // SoftHSM 2.6 does no more than that
  })

  it('gives the token no more of a hash than its curve has', async () => {
    const key = await start('p256', { blockingLimitMs: 0 })
    let given: unknown
    faults.replace('C_SignAsync', (real, session, data, out) => {
      given = (data as Buffer).length
      return real(session, data, out)
    })
    await key.sign(MESSAGE, { scheme: 'ecdsa', hash: 'sha512' })
    expect(given).toBe(32)
  })

  it('serves 50 at once, with two sessions and one login', async () => {
    const key = await start('rsa')
    const signatures = await Promise.all(Array.from({ length: 50 }, () => key.sign(MESSAGE, PS256)))
    expect(signatures.every((it) => isGood(key, PS256, it))).toBe(true)
    expect(count('C_Login')).toBe(1)
    expect(count('C_OpenSession')).toBeLessThanOrEqual(2)
    expect(count('C_FindObjectsInit')).toBe(4) // the key; what is beside it; its certificate: all of it once
  })

  it('signs what the message was when it was given', async () => {
    const key = await start('p256', { blockingLimitMs: 0, maxSessions: 1 })
    const message = Buffer.from(MESSAGE)
    const signatures = [key.sign(message, ES256), key.sign(message, ES256)]
    message.fill(0)
    for (const it of await Promise.all(signatures)) expect(isGood(key, ES256, it)).toBe(true)
  })
})

describe('sign', () => {
  it.each([
    ['p256', RS256],
    ['p256', PS256],
    ['rsa', ES256],
    ['rsa', { scheme: 'rsassa-pss', hash: 'sha1' }],
    ['rsa', { scheme: 'toString', hash: 'sha256' }],
  ])('refuses with %s what is no scheme for it: %p', async (label, scheme) => {
    const key = await start(label)
    faults.reset()
    await expect(key.sign(MESSAGE, scheme as SignatureScheme)).rejects.toThrow(TypeError)
    expect(faults.calls).toEqual([])
  })

  it('refuses a message of more than 1 MiB', async () => {
    const key = await start('p256')
    await key.sign(Buffer.alloc(1_048_576), ES256)
    await expect(key.sign(Buffer.alloc(1_048_577), ES256)).rejects.toThrow(RangeError)
  })

  it.each([
    ['rsa', 256],
    ['rsa', 0],
    ['rsa', 255],
    ['p256', 64],
    ['p256', 0],
    ['p256', 63],
    ['p256', 70],
  ])('gives out no signature of %s that is wrong: %i octets', async (label, octets) => {
    const key = await start(label, { blockingLimitMs: 0 })
    const scheme = label === 'rsa' ? PS256 : ES256
    faults.replace('C_SignAsync', async () => randomBytes(octets))
    await expect(key.sign(MESSAGE, scheme)).rejects.toMatchObject({ code: 'ERR_PKCS11_SIGNATURE' })
    faults.reset()
    expect(isGood(key, scheme, await key.sign(MESSAGE, scheme))).toBe(true)
  })

  it('gives out no signature with one bit wrong, as a fault in RSA-CRT would give', async () => {
    const key = await start('rsa', { blockingLimitMs: 0 })
    faults.replace('C_SignAsync', async (real, ...args) => {
      const answer = (await real(...args)) as Buffer
      answer[100]! ^= 1
      return answer
    })
    await expect(key.sign(MESSAGE, RS256)).rejects.toMatchObject({ code: 'ERR_PKCS11_SIGNATURE' })
  })

  it.each([
    ['C_SignInit', 0x32],
    ['C_SignAsync', 0x30],
    ['C_SignInit', 0xe0],
    ['C_SignInit', 0xb3],
    ['C_SignAsync', 0xb0],
    ['C_SignInit', 0x101],
    ['C_SignInit', 0x60],
  ])('M12 answers although %s said 0x%s, with at most one more login', async (name, rv) => {
    const key = await start('p256', { blockingLimitMs: 0 })
    faults.fail(name, rv)
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
    expect(count('C_Login')).toBeLessThanOrEqual(2)
  })

  it('M12 says so where the device stays in trouble', async () => {
    const key = await start('p256', { blockingLimitMs: 0 })
    faults.fail('C_SignAsync', 0x30, 2)
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_DEVICE', rv: 0x30 })
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
  })

  it('M09 says so while the token is out, and goes on when it is back', async () => {
    const key = await start('imported')
    await softHsm.removeToken()
    for (let at = 0; at < 3; at++) {
      const { code } = await rejection<Pkcs11Error>(key.sign(MESSAGE, ES256))
      expect(['ERR_PKCS11_DEVICE', 'ERR_PKCS11_TOKEN_ABSENT']).toContain(code)
    }
    await softHsm.restoreToken()
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
  })

  it('M15 is disabled for good once another key is in the place of its own', async () => {
    await keygen('EC:prime256v1', '31', 'swapped')
    const key = await start('swapped')
    await softHsm.tool('--delete-object', '--type', 'privkey', '--label', 'swapped')
    await softHsm.tool('--delete-object', '--type', 'pubkey', '--label', 'swapped')
    await keygen('EC:prime256v1', '31', 'swapped')
    faults.fail('C_SignInit', 0x32)
    const first = await rejection<Pkcs11Error>(key.sign(MESSAGE, ES256))
    expect(first).toMatchObject({ code: 'ERR_PKCS11_KEY', message: expect.stringContaining('another key') })
    faults.reset()
    expect(await rejection(key.sign(MESSAGE, ES256))).toBe(first)
    expect(faults.calls).toEqual([])
    await key.close()
    expect(await rejection(key.sign(MESSAGE, ES256))).toBe(first)
  })

  it('M15 goes by the signature where the other key has the public key of this one', async () => {
    const key = await start('p256', { blockingLimitMs: 0 })
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    faults.fail('C_SignInit', 0x32)
    faults.replace('C_SignAsync', async () => sign('sha256', MESSAGE, { key: privateKey, dsaEncoding: 'ieee-p1363' }))
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_SIGNATURE' })
  })

  it('M27 refuses what is beyond its bound, keeps its deadline, and hears its caller', async () => {
    const key = await start('p256', { blockingLimitMs: 0, maxSessions: 1, maxWaiting: 1, timeoutMs: 50 })
    const held: (() => void)[] = []
    faults.replace('C_SignAsync', (real, ...args) => new Promise((done) => held.push(() => done(real(...args)))))
    const controller = new AbortController()
    const aborted = key.sign(MESSAGE, ES256, { signal: controller.signal })
    const late = key.sign(MESSAGE, ES256)
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_OVERLOADED' })
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_PKCS11_ABORTED' })
    await expect(late).rejects.toMatchObject({ code: 'ERR_PKCS11_TIMEOUT' })
    faults.reset()
    for (const release of held) release()
    expect(isGood(key, ES256, await key.sign(MESSAGE, ES256))).toBe(true)
  })

  it('ends with close, also twice', async () => {
    const key = await start('p256')
    await Promise.all([key.close(), key.close()])
    await expect(key.sign(MESSAGE, ES256)).rejects.toMatchObject({ code: 'ERR_PKCS11_CLOSED' })
    expect(count('C_CloseSession')).toBe(count('C_OpenSession'))
  })
})
