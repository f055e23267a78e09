import { createTestPki } from '@hardbound/testkit'
import { describe, expect, it } from '@jest/globals'
import { checkConnection } from '../../src/internal/connection.ts'

const none = (base64: string) => `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`

describe('checkConnection', () => {
  it('takes one authority, and the many of a system', async () => {
    const { caPem } = await createTestPki()
    expect(checkConnection({ ca: caPem }).ca).toBe(caPem.trim())
    expect(checkConnection({ ca: Buffer.from(caPem.repeat(40)) }).ca?.match(/BEGIN/g)).toHaveLength(40)
  })

  it.each(['', 'no PEM', none('AAAA')])('refuses %j', (ca) => {
    expect(() => checkConnection({ ca })).toThrow('"ca" must be certificates in PEM')
  })

  it.each(['AAAA', 'MII=', 'MIIBAAAA'])('refuses many of which one is none: %s', async (base64) => {
    const { caPem } = await createTestPki()
    expect(() => checkConnection({ ca: caPem.repeat(20) + none(base64) })).toThrow('"ca" must be certificates in PEM')
  })
})
