import { X509Certificate } from 'node:crypto'
import { createTestPki } from '@hardbound/testkit'
import { describe, expect, it } from '@jest/globals'
import { createStaticKeySet } from '../src/index.ts'
import { makeKey } from './helpers.ts'

describe('createStaticKeySet', () => {
  it('reads a JWK set as text or object', async () => {
    const jwks = { keys: [makeKey('one').jwk] }
    for (const given of [jwks, JSON.stringify(jwks)]) {
      const keys = createStaticKeySet(given)
      expect(keys.ready()).toBe(true)
      expect(await keys.getKey('one')).toMatchObject({ kid: 'one', alg: 'RS256' })
      expect(await keys.getKey('two')).toBeUndefined()
      expect(await keys.getKey('__proto__')).toBeUndefined()
    }
  })

  it('takes the key from a certificate where that is all there is, as with Azure Attestation', async () => {
    const { certPem } = await (await createTestPki()).issue({ commonName: 'attest', keyType: 'RSA-2048' })
    const certificate = new X509Certificate(certPem)
    const keys = createStaticKeySet({
      keys: [{ kty: 'RSA', kid: 'a+b/c=', x5c: [certificate.raw.toString('base64')] }],
    })
    expect((await keys.getKey('a+b/c='))?.key.equals(certificate.publicKey)).toBe(true)
  })

  it('refuses what has no usable key', () => {
    const garbage = { keys: [{ kty: 'RSA', kid: 'x', x5c: ['AAAA'] }] }
    for (const bad of ['', '{}', '{"keys":[]}', garbage, { keys: [makeKey('weak', 1024).jwk] }]) {
      expect(() => createStaticKeySet(bad)).toThrow(TypeError)
    }
  })
})
