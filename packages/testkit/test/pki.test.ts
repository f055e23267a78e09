import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createTestPki } from '../src/pki.ts'

const pki = await createTestPki()
const root = new X509Certificate(pki.caPem)

describe('createTestPki', () => {
  it('issues a server certificate under its root, with the key that belongs to it', async () => {
    const { certPem, keyPem, spkiSha256 } = await pki.issue({
      commonName: 'broker.example.com',
      dns: ['localhost', 'broker.example.com'],
      ip: ['127.0.0.1', '::1'],
      uri: ['spiffe://example.com/broker'],
    })
    const leaf = new X509Certificate(certPem)
    expect(leaf.checkIssued(root) && leaf.verify(root.publicKey)).toBe(true)
    expect(leaf.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
    expect(leaf.subject).toBe('CN=broker.example.com')
    expect(leaf.checkHost('localhost')).toBe('localhost')
    expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(leaf.subjectAltName).toContain('URI:spiffe://example.com/broker')
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(leaf.ca).toBe(false)
    const spki = leaf.publicKey.export({ format: 'der', type: 'spki' })
    expect(spkiSha256).toBe(createHash('sha256').update(spki).digest('hex'))
  })

  it.each([
    ['client', ['1.3.6.1.5.5.7.3.2']],
    ['both', ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']],
    ['none', undefined],
  ] as const)('gives the usage %s', async (usage, oids) => {
    const leaf = new X509Certificate((await pki.issue({ commonName: 'client', usage })).certPem)
    expect(leaf.keyUsage).toEqual(oids)
    expect(leaf.subjectAltName).toBeUndefined()
  })

  it.each([
    ['P-256', 'ec', undefined],
    ['RSA-2048', 'rsa', 2048],
    ['RSA-1024', 'rsa', 1024],
  ] as const)('certifies a key of type %s', async (keyType, type, bits) => {
    const leaf = new X509Certificate((await pki.issue({ commonName: 'key', keyType })).certPem)
    expect(leaf.publicKey.asymmetricKeyType).toBe(type)
    expect(leaf.publicKey.asymmetricKeyDetails?.modulusLength).toBe(bits)
    expect(leaf.verify(root.publicKey)).toBe(true)
  })

  it('takes validity dates, and makes an authority when told to', async () => {
    const notBefore = new Date('2020-01-01T00:00:00Z')
    const notAfter = new Date('2020-01-02T00:00:00Z')
    const leaf = new X509Certificate((await pki.issue({ commonName: 'old', ca: true, notBefore, notAfter })).certPem)
    expect(new Date(leaf.validFrom)).toEqual(notBefore)
    expect(new Date(leaf.validTo)).toEqual(notAfter)
    expect(leaf.ca).toBe(true)
  })

  it('makes authorities that do not trust each other', async () => {
    const other = await createTestPki()
    const leaf = new X509Certificate((await other.issue({ commonName: 'stranger' })).certPem)
    expect(leaf.verify(root.publicKey)).toBe(false)
  })
})
