import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readCertificateDataText } from '../src/signing-helper/read-certificate-data.ts'
import { storeOf } from '../src/signing-helper/signer-store.ts'
import { helper } from './signing-helper.ts'
import { codeOf, type Lab, makeLab, readFlags, vector } from './signing-helper-lab.ts'

const SERIAL = '0x0123456789ABCDEF0123456789'
const hashed = (kind: string) => ['SHA256', 'SHA384', 'SHA512'].map((hash) => kind + hash)

let lab: Lab
beforeAll(async () => {
  lab = await makeLab()
  const ec = (curve: string) => ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`]
  for (const [name, ...how] of [
    ['rsa', '-newkey', 'rsa:2048'],
    ['rsa-1024-md5', '-newkey', 'rsa:1024', '-md5'],
    ['ec', ...ec('P-256')],
    ['ec-521-sha1', ...ec('P-521'), '-sha1'],
    ['ed25519', '-newkey', 'ed25519'],
  ] as const) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
    await lab.openssl('req', '-x509', '-nodes', '-subj', '/', '-set_serial', SERIAL, ...files, ...how)
  }
})
afterAll(() => lab?.remove())

const read = (certificate: string) => readCertificateDataText(readFlags({ certificate }))
const body = (pem: string) =>
  /-----BEGIN CERTIFICATE-----([^-]+)/.exec(readFileSync(pem, 'utf8'))?.[1]?.replace(/\s/g, '') ?? ''
const line = (keyType: string, certificateData: string, serialNumber: string, supportedAlgorithms: readonly string[]) =>
  JSON.stringify({ keyType, certificateData, serialNumber, supportedAlgorithms })

describe('read-certificate-data of a file', () => {
  it.each([
    ['rsa', 'RSA'],
    ['rsa-1024-md5', 'RSA'],
    ['ec', 'EC'],
    ['ec-521-sha1', 'EC'],
    ['ed25519', ''],
  ])('is one line of JSON: %s', async (name, keyType) => {
    const file = lab.at(`${name}.crt`)
    const expected = line(keyType, body(file), '90144042682896311822508713865', hashed(keyType))
    expect(await read(file)).toBe(expected)
  })

  it.each([
    [44, '555909735130390387277307683197494642999457431986'],
    [65, '238577318358097936462534476307315464734721141126'],
    [87, '419129587002399488408580048948684922162139526532'],
  ])('is one line of JSON: ML-DSA-%i', async (set, serial) => {
    const file = vector(`mldsa${set}-cert.pem`)
    expect(await read(file)).toBe(line(`ML-DSA-${set}`, body(file), serial, [`ML-DSA-${set}`]))
  })

  it('is about the first certificate, whatever else is there', async () => {
    const texts = ['ec.key', 'rsa.crt', 'ec.crt'].map((name) => readFileSync(lab.at(name), 'utf8'))
    expect(await read(await lab.write('bundle.pem', `a comment\n${texts.join('another\n')}`))).toBe(
      await read(lab.at('rsa.crt')),
    )
  })

  it('comes out of the command to the octet', async () => {
    const file = vector('mldsa44-cert.pem')
    const { code, stdout, stderr } = await helper(['read-certificate-data', '--certificate', file])
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: await read(file), stderr: '' })
  })

  it.each([
    ['what is damaged', () => vector('invalid-rsa-cert.pem'), 'ERR_RA_CERTIFICATE'],
    ['a key', () => lab.at('ec.key'), 'ERR_RA_CERTIFICATE'],
    ['what is not there', () => lab.at('none'), 'ERR_RA_FILE'],
  ])('F18 refuses %s', async (_, file, why) => {
    expect(await codeOf(read(file()))).toContain(why)
  })
})

const SUBJECT = 'Key=x509Subject,Value=CN=Subject'
const ALL = [
  { Key: 'x509Subject', Value: 'CN=Subject' },
  { Key: 'x509Issuer', Value: 'CN=Issuer' },
  { Key: 'x509Serial', Value: '15D19632234BF759A32802C0DA88F9E8AFC8702D' },
]
const onLinux = (selector: string) => codeOf(readCertificateDataText(readFlags({ 'cert-selector': selector })))
const inFile = async (value: unknown) =>
  `file://${await lab.write('selector.json', typeof value === 'string' ? value : JSON.stringify(value))}`

describe('read-certificate-data with a selector', () => {
  it.each([
    [
      'all three',
      `${SUBJECT} Key=x509Issuer,Value=CN=Issuer Key=x509Serial,Value=15D19632234BF759A32802C0DA88F9E8AFC8702D`,
    ],
    ['one', 'Key=x509Issuer,Value=CN=Issuer'],
    ['blanks in a value', 'Key=x509Subject,Value=CN=A Name,O=An Organisation Key=x509Issuer,Value=CN=Issuer'],
    ['blanks around', ` \t\n ${SUBJECT}  \n\t Key=x509Issuer,Value=CN=Issuer \n `],
    ['none', ''],
  ])('is understood before it turns out that Linux has no store: %s', async (_, selector) => {
    expect(await onLinux(selector)).toContain('unable to use cert store signer on linux')
  })

  it.each([
    ['all three', ALL],
    ['two', [ALL[0], ALL[2]]],
  ])('may be in a file: %s', async (_, selector) => {
    expect(await onLinux(await inFile(selector))).toContain('unable to use cert store signer on linux')
  })

  it('keeps blanks in values, and leaves out those at their ends', async () => {
    const text =
      '\tKey=x509Subject,Value=CN=CN With Trailing Spaces  ,O=O With Spaces   \n Key=x509Issuer,Value=CN=Issuer \n'
    const flags = readFlags({ 'cert-selector': text })
    const { selector, store } = await storeOf(flags, 'win32')
    expect(selector).toEqual({
      x509Subject: 'CN=CN With Trailing Spaces  ,O=O With Spaces',
      x509Issuer: 'CN=Issuer',
    })
    expect(store.name).toBe('windows')
    await store.close()
  })

  it.each([
    ['no pair', 'laksdjadf'],
    ['no value', 'Key=laksdjf,Valalsd'],
    ['an unknown key', 'Key=x509Unknown,Value=a'],
    ['a key twice', `${SUBJECT} ${SUBJECT}`],
    ['a key twice, not beside', `${SUBJECT} Key=x509Issuer,Value=CN=Issuer ${SUBJECT}`],
    ['something before', `x ${SUBJECT}`],
    ['a serial number that is none', 'Key=x509Serial,Value=xyz'],
  ])('F18 is refused: %s', async (_, selector) => {
    expect(await onLinux(selector)).toContain('ERR_RA_SELECTOR')
  })

  it.each([
    ['an object', { lajsdf: 'lajsdlfjadf' }],
    ['one pair that is not in an array', ALL[0]],
    ['a key twice', [...ALL, { Key: 'x509Subject', Value: 'CN=Subject2' }]],
    ['no JSON', 'asldjf;laj'],
  ])('F18 is refused in a file: %s', async (_, selector) => {
    expect(await onLinux(await inFile(selector))).toContain('ERR_RA_SELECTOR')
  })

  it('F18 is refused where the file is not there', async () => {
    expect(await onLinux(`file://${lab.at('none.json')}`)).toContain('ERR_RA_FILE')
  })

  it.each(['win32', 'darwin'] as const)('is for the store of %s, which is not here', async (platform) => {
    const { store, selector } = await storeOf(readFlags({ 'cert-selector': SUBJECT }), platform)
    expect(selector).toEqual({ x509Subject: 'CN=Subject' })
    expect(await codeOf(store.list())).toContain('ERR_RA_STORE')
    await store.close()
  })
})
