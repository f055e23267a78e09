import { readFileSync } from 'node:fs'
import { createTestPki } from '@hardbound/testkit'
import { describe, expect, it } from '@jest/globals'
import { certificatesOf } from '../src/internal/certificates.ts'

describe('certificatesOf', () => {
  it('takes one certificate, and the many of a system', async () => {
    const { caPem } = await createTestPki()
    expect(certificatesOf(`a comment\n${caPem}`)).toBe(caPem.trim())
    expect(certificatesOf(Buffer.from(caPem.repeat(40))).match(/BEGIN/g)).toHaveLength(40)
  })

  it.each(['', 'no PEM', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])('refuses %j', (pem) => {
    expect(() => certificatesOf(pem)).toThrow('"ca" must be certificates in PEM')
  })

  it.each([
    'AAAA',
    'MII=',
    'MIIB',
    readFileSync(new URL(import.meta.url))
      .toString('base64')
      .slice(0, 400),
  ])('refuses many of which one is none: %s', async (none) => {
    const { caPem } = await createTestPki()
    const block = `-----BEGIN CERTIFICATE-----\n${none}\n-----END CERTIFICATE-----\n`
    expect(() => certificatesOf(caPem.repeat(20) + block)).toThrow('"ca" must be certificates in PEM')
  })
})
