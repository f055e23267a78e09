import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { checkCertificate } from '../src/checks.ts'
import { RolesAnywhereError } from '../src/errors.ts'
import { readCertificate } from '../src/internal/read-certificate.ts'
import type { X509KeyType } from '../src/types.ts'
import { createLab, der, EC, ec, elements, type Lab, RSA, withKey } from './identity/lab.ts'
import vectors from './vectors/roles-anywhere-vectors.json' with { type: 'json' }

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
})
afterAll(() => lab.remove())

const certificate = async (name: string): Promise<Buffer> => new X509Certificate(await lab.text(`${name}.crt`)).raw

/** Codes and messages of all that would be refused. */
function check(der: Uint8Array, keyType: X509KeyType = 'ec', nowMs = Date.now()) {
  const refused: string[] = []
  const checked = checkCertificate({ certificate: der, keyType }, { nowMs }, ({ code, message }) => {
    refused.push(`${code} ${message}`)
  })
  return { refused, checked }
}

/** A certificate with its own extensions alone; `req -x509` would add some. */
async function made(name: string, lines: readonly string[], ...more: string[]): Promise<Buffer> {
  await lab.openssl('req', '-new', '-nodes', ...EC, '-subj', '/CN=a', '-keyout', `${name}.key`, '-out', `${name}.csr`)
  const file = await lab.write(`${name}.ext`, lines.join('\n'))
  const extensions = lines.length > 0 ? ['-extfile', file] : []
  const issuer = ['-CA', 'root.crt', '-CAkey', 'root.key', '-set_serial', '4660']
  await lab.openssl('x509', '-req', '-in', `${name}.csr`, ...issuer, ...extensions, '-out', `${name}.crt`, ...more)
  return certificate(name)
}
const USAGE = 'keyUsage = critical, digitalSignature'

describe('checkCertificate', () => {
  it.each([
    ['P-256', EC, 'ec'],
    ['P-521', ec('P-521'), 'ec'],
    ['RSA', RSA, 'rsa'],
  ] as const)('finds nothing wrong with what the service takes: %s', async (name, newkey, keyType) => {
    await lab.leaf(name, newkey)
    const { refused, checked } = check(await certificate(name), keyType)
    expect(refused).toEqual([])
    expect(checked.serial).toBe(BigInt(`0x${new X509Certificate(await certificate(name)).serialNumber}`).toString())
  })

  it('reads the serial number and the times of a certificate up to the year 2126', () => {
    const leaf = new X509Certificate(vectors.certPem)
    const { serial, notAfter, notBefore } = check(leaf.raw, 'rsa', Date.UTC(2100, 1)).checked
    expect(serial).toBe(vectors.A_minimal.serialDecimal)
    expect(new Date(notBefore)).toEqual(new Date(leaf.validFrom))
    expect(new Date(notAfter)).toEqual(new Date(leaf.validTo))
  })

  it('takes one without basic constraints, which is none of an authority (RFC 5280, section 4.2.1.9)', async () => {
    expect(check(await made('no-constraints', [USAGE])).refused).toEqual([])
  })

  it.each<[string, string[], string]>([
    ['v1', [], 'is of X.509 v1'],
    ['no key usage', ['basicConstraints = CA:FALSE'], 'has no key usage'],
    ['another key usage', ['keyUsage = keyAgreement'], 'may not sign'],
    ['an authority', [USAGE, 'basicConstraints = CA:TRUE'], '(CA:TRUE)'],
  ])('S11: says what is wrong and what to do: %s', async (_, lines, says) => {
    const { refused } = check(await made('wrong', lines))
    expect(refused).toEqual([expect.stringMatching(/^ERR_RA_CERTIFICATE the certificate .*: /)])
    expect(refused[0]).toContain(says)
  })

  it.each<[string, string[]]>([
    ['SHA-1', ['-sha1']],
    ['SHA-224', ['-sha224']],
    ['RSASSA-PSS with SHA-1', ['-sha1', '-sigopt', 'rsa_padding_mode:pss']],
  ])('S11: does not take a certificate that was signed with %s', async (name, options) => {
    await lab.openssl('req', '-x509', '-nodes', ...RSA, '-subj', '/CN=R', '-keyout', 'r.key', '-out', 'r.crt')
    const issuer = name.startsWith('RSA') ? ['-CA', 'r.crt', '-CAkey', 'r.key'] : []
    const { refused } = check(await made('weak', [USAGE], ...issuer, ...options))
    expect(refused).toEqual([expect.stringContaining('a hash weaker than SHA-256')])
  })

  it('takes RSASSA-PSS with SHA-256', async () => {
    await lab.openssl('req', '-x509', '-nodes', ...RSA, '-subj', '/CN=R', '-keyout', 'r.key', '-out', 'r.crt')
    const options = ['-CA', 'r.crt', '-CAkey', 'r.key', '-sha256', '-sigopt', 'rsa_padding_mode:pss']
    expect(check(await made('pss', [USAGE], ...options)).refused).toEqual([])
  })

  it('S11: knows when it is valid, and shows the clock', async () => {
    await lab.leaf('timed')
    const der = await certificate('timed')
    const { notBefore, notAfter } = check(der).checked
    expect(check(der, 'ec', notBefore).refused).toEqual([])
    expect(check(der, 'ec', notAfter).refused).toEqual([])
    const early = check(der, 'ec', notBefore - 1000).refused
    expect(early).toEqual([
      expect.stringMatching(/^ERR_RA_EXPIRED .* is not valid before .*; this machine's clock says /),
    ])
    const late = check(der, 'ec', notAfter + 1000).refused
    expect(late).toEqual([expect.stringMatching(/^ERR_RA_EXPIRED .* ended at .*: renew it, or set the clock right$/)])
  })

  it('S11: tells a key of another kind before it signs', async () => {
    await lab.leaf('kind')
    const der = await certificate('kind')
    expect(() => check(der, 'rsa')).toThrow(expect.objectContaining({ code: 'ERR_RA_MISMATCH' }))
  })

  it.each<[string, readonly string[]]>([
    ['secp256k1', ec('secp256k1')],
    ['Ed25519', ['-newkey', 'ed25519']],
    ['RSA-PSS', ['-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048']],
  ])('says that a key is of a kind that the service does not take: %s', async (name, newkey) => {
    await lab.leaf(name, newkey)
    const der = await certificate(name)
    expect(() => check(der)).toThrow(expect.objectContaining({ code: 'ERR_RA_CERTIFICATE' }))
    expect(() => check(der)).toThrow('use RSA, EC (P-256, P-384, P-521) or ML-DSA')
  })

  it('reads a certificate for ML-DSA, which OpenSSL of Node 20 does not know', async () => {
    await lab.leaf('ml')
    const oid = der(0x30, der(0x06, Buffer.from('608648016503040312', 'hex')))
    const spki = der(0x30, oid, der(0x03, Buffer.alloc(1953)))
    const changed = withKey(await certificate('ml'), spki, await lab.text('intermediate.key'))
    const { refused, checked } = check(changed, 'ml-dsa')
    expect(refused).toEqual([])
    expect(checked.publicKey).toMatchObject({ keyType: 'ml-dsa', set: 65 })
  })
})

describe('readCertificate', () => {
  it('F: neither cut nor changed octets bring anything but a certificate or a typed error', async () => {
    await lab.leaf('fuzzed')
    const der = await certificate('fuzzed')
    for (let at = 0; at < der.length; at++) {
      const changed = Buffer.from(der)
      changed.writeUInt8(der.readUInt8(at) ^ 0x81, at)
      for (const octets of [der.subarray(0, at), changed]) assertTyped(octets)
    }
  })

  it.each([
    ['a negative serial number', Buffer.from('0201ff', 'hex')],
    ['a serial number of 100 octets', der(0x02, Buffer.alloc(100, 1))],
  ])('F: refuses %s', async (_, serial) => {
    await lab.leaf('serial')
    const [tbs, ...rest] = elements(await certificate('serial')) as [Buffer, Buffer, Buffer]
    const fields = elements(tbs)
    fields[1] = serial
    const changed = der(0x30, der(0x30, ...fields), ...rest)
    expect(() => readCertificate(changed)).toThrow(expect.objectContaining({ code: 'ERR_RA_CERTIFICATE' }))
  })
})

function assertTyped(octets: Uint8Array): void {
  try {
    readCertificate(octets)
  } catch (error) {
    expect(error).toBeInstanceOf(RolesAnywhereError)
  }
}
