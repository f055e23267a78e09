import { X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { certificateData, listIdentities, readCertificateData } from '../src/certificate-data.ts'
import { readCertificateDetails } from '../src/selector/certificate-details.ts'
import { parseDn } from '../src/selector/parse-dn.ts'
import { asMlDsa, type OpensslFolder, opensslFolder } from './openssl-certificate.ts'

let folder: OpensslFolder
beforeAll(async () => {
  folder = await opensslFolder()
})
afterAll(() => folder.remove())

const RSA_PSS = ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048']

describe('readCertificateData', () => {
  it.each([
    ['rsa:2048', ['rsa:2048'], 'RSA', ['RSASHA256', 'RSASHA384', 'RSASHA512']],
    ['P-384', ['ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'], 'EC', ['ECSHA256', 'ECSHA384', 'ECSHA512']],
    ['Ed25519', ['ed25519'], '', ['SHA256', 'SHA384', 'SHA512']],
    ['RSA-PSS', RSA_PSS, '', ['SHA256', 'SHA384', 'SHA512']],
  ])('%s: gives the JSON of aws_signing_helper', async (_, newkey, keyType, algorithms) => {
    const { certificateFile, der } = await folder.certificate({ newkey, serial: '0x00abcdef0123456789' })
    expect(JSON.stringify(await readCertificateData(certificateFile))).toBe(
      `{"keyType":"${keyType}","certificateData":"${der.toString('base64')}","serialNumber":"${0xabcdef0123456789n}",` +
        `"supportedAlgorithms":${JSON.stringify(algorithms)}}`,
    )
  })

  it.each(['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const)('tells %s by its OID', async (keyType) => {
    const { der } = await folder.certificate({ newkey: ['ed25519'] })
    expect(certificateData(asMlDsa(der, keyType))).toMatchObject({ keyType, supportedAlgorithms: [keyType] })
  })

  it('reads the first certificate, whatever else is in the file', async () => {
    const [first, second] = [await folder.certificate(), await folder.certificate()]
    const path = join(folder.path, 'combined')
    await writeFile(path, `a comment\n${await readFile(first.keyFile, 'utf8')}${first.pem}${second.pem}`)
    expect((await readCertificateData(path)).certificateData).toBe(first.der.toString('base64'))
  })

  it('refuses what has no certificate', async () => {
    const { keyFile } = await folder.certificate()
    await expect(readCertificateData(keyFile)).rejects.toMatchObject({ code: 'ERR_RA_CERTIFICATE' })
    await expect(readCertificateData(join(folder.path, 'none'))).rejects.toMatchObject({ code: 'ERR_RA_FILE' })
  })
})

describe('listIdentities', () => {
  const sha1 = (der: Buffer): string => new X509Certificate(der).fingerprint.replaceAll(':', '').toLowerCase()

  it('lists certificates as aws_signing_helper does', async () => {
    const one = await folder.certificate({ subject: ['O = Example', 'CN = one'], serial: '0x0a0b' })
    const two = await folder.certificate({ subject: ['CN = two'], serial: '0xfF00' })
    const uri = 'pkcs11:serial=1234;object=two;type=cert;id=%01'
    const identities = [{ details: readCertificateDetails(one.der) }, { details: readCertificateDetails(two.der), uri }]
    expect(listIdentities(identities)).toBe(
      [
        'Matching identities',
        `1) Hex Fingerprint: ${sha1(one.der)}`,
        'Subject: CN=one,O=Example',
        'Issuer: CN=one,O=Example',
        'Serial Number: A0B',
        '',
        `2) Hex Fingerprint: ${sha1(two.der)}`,
        'Subject: CN=two',
        'Issuer: CN=two',
        'Serial Number: FF00',
        `URI: ${uri}`,
        '',
        '',
      ].join('\n'),
    )
  })

  it('says that there is none', () => {
    expect(listIdentities([])).toBe('No matching identities\n')
  })

  it('lets no name pass for a line of its own, and writes it so that it can be read back', async () => {
    const { der } = await folder.certificate()
    const subject = [[{ oid: '2.5.4.3', value: 'a\n2) Hex Fingerprint: \u001b[2J\u0085\u202e' }]]
    const text = listIdentities([{ details: { ...readCertificateDetails(der), subject } }])
    const [, written = ''] = /^Subject: (.*)$/m.exec(text) ?? []
    expect(written).toBe('CN=a\\0A2) Hex Fingerprint: \\1B[2J\\C2\\85\\E2\\80\\AE')
    expect(parseDn(written)).toEqual(subject)
  })
})
