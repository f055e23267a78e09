import { verify } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { openPemKey } from '../../src/identity/open-pem-key.ts'
import vectors from '../vectors/ml-dsa.json' with { type: 'json' }
import { createLab, type Lab, MESSAGE, PASSWORD, RSA, rejection } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
  await Promise.all([lab.leaf('ec'), lab.leaf('rsa', RSA)])
  await lab.openssl('pkcs8', '-topk8', '-in', 'ec.key', '-out', 'locked.key', '-passout', `pass:${PASSWORD}`)
})
afterAll(() => lab?.remove())

describe('openPemKey', () => {
  it.each(['ec', 'rsa'] as const)('signs with a key whose certificate is not known: %s', async (name) => {
    const key = await openPemKey({ file: lab.path(`${name}.key`) })
    expect(key.keyType).toBe(name)
    for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
      expect(verify(hash, MESSAGE, key.publicKey!, await key.sign(MESSAGE, hash))).toBe(true)
    }
    await key.close()
  })

  it('asks for a password where one is needed', async () => {
    const password = jest.fn(() => PASSWORD)
    const key = await openPemKey({ file: lab.path('locked.key'), password })
    expect(verify('sha256', MESSAGE, key.publicKey!, await key.sign(MESSAGE, 'sha256'))).toBe(true)
    await (await openPemKey({ file: lab.path('ec.key'), password })).close()
    expect(password).toHaveBeenCalledTimes(1)
  })

  it('has no public key of ML-DSA, and nothing to sign with once it was closed', async () => {
    const { keyPem = '' } = vectors.cases[0] ?? {}
    const key = await openPemKey({ file: await lab.write('ml-dsa.key', keyPem) })
    expect(key).toMatchObject({ keyType: 'ml-dsa' })
    expect(key).not.toHaveProperty('publicKey')
    await key.close()
    expect(await rejection(key.sign(MESSAGE, 'sha256'))).toMatchObject({ code: 'ERR_RA_CLOSED' })
  })

  it.each([
    ['a wrong password', () => ({ file: lab.path('locked.key'), password: 'hunter2' }), 'ERR_RA_PASSWORD'],
    ['no password', () => ({ file: lab.path('locked.key') }), 'ERR_RA_PASSWORD'],
    ['a certificate', () => ({ file: lab.path('ec.crt') }), 'ERR_RA_KEY'],
    ['what is not there', () => ({ file: lab.path('none') }), 'ERR_RA_FILE'],
  ])('refuses %s', async (_, init, code) => {
    const { message, ...error } = await rejection(openPemKey(init()))
    expect(error).toMatchObject({ code })
    expect(message).not.toContain('hunter2')
  })

  it('wants a path', async () => {
    await expect(openPemKey({} as never)).rejects.toThrow(TypeError)
    await expect(openPemKey({ file: '' })).rejects.toThrow(TypeError)
  })
})
