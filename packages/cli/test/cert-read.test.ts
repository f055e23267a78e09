import { X509Certificate } from 'node:crypto'
import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Certificates, makeCertificates, RSA } from './certificates.ts'
import { hardbound } from './helpers.ts'

let lab: Certificates
let softHsm: TestSoftHsm
beforeAll(async () => {
  ;[lab, softHsm] = await Promise.all([makeCertificates(), createSoftHsm()])
  await lab.leaf('rsa', RSA)
  await lab.leaf('ec')
  await lab.mlDsaLeaf('ml-dsa')
  await mkdir(lab.at('folder'))
  for (const name of ['rsa.crt', 'ec.crt']) await copyFile(lab.at(name), lab.at(`folder/${name}`))
  await lab.write('password', 'correct horse')
  const p12 = ['-in', 'ec.crt', '-inkey', 'ec.key', '-passout', `file:${lab.at('password')}`, '-out', 'ec.p12']
  await lab.openssl('pkcs12', '-export', ...p12)
  await lab.openssl('x509', '-in', 'ec.crt', '-outform', 'DER', '-out', 'ec.der')
  await softHsm.tool('--write-object', lab.at('ec.der'), '--type', 'cert', '--id', '02', '--label', 'ec')
})
afterAll(async () => {
  await Promise.all([lab?.remove(), softHsm?.remove()])
})

const read = (...args: string[]) => hardbound(['cert', 'read', ...args], { env: softHsm.env })
const certificate = async (name: string) => new X509Certificate(await readFile(lab.at(`${name}.crt`)))
/** What a listing has of a certificate, apart from its number and its URI. */
async function block(name: string): Promise<string> {
  const { fingerprint, serialNumber } = await certificate(name)
  const sha1 = fingerprint.replaceAll(':', '').toLowerCase()
  const serial = serialNumber.replace(/^0+/, '')
  return `${sha1}\nSubject: CN=${name}.example.com\nIssuer: CN=intermediate.example.com\nSerial Number: ${serial}`
}

describe('hardbound cert read', () => {
  it.each([
    ['rsa', 'RSA', ['RSASHA256', 'RSASHA384', 'RSASHA512']],
    ['ec', 'EC', ['ECSHA256', 'ECSHA384', 'ECSHA512']],
    ['ml-dsa', 'ML-DSA-65', ['ML-DSA-65']],
  ])('--json of a file is what aws_signing_helper prints, to the octet: %s', async (name, keyType, algorithms) => {
    const { raw, serialNumber } = await certificate(name)
    const expected = {
      keyType,
      certificateData: raw.toString('base64'),
      serialNumber: BigInt(`0x${serialNumber}`).toString(),
      supportedAlgorithms: algorithms,
    }
    expect(await read(lab.at(`${name}.crt`), '--json')).toEqual({
      code: 0,
      stdout: JSON.stringify(expected),
      stderr: '',
    })
  })

  it('lists a file', async () => {
    const stdout = `Matching identities\n1) Hex Fingerprint: ${await block('rsa')}\n`
    expect(await read(lab.at('rsa.crt'))).toEqual({ code: 0, stdout, stderr: '' })
  })

  it('lists what a token has, without its PIN, by URIs that find it again', async () => {
    const { code, stdout, stderr } = await read(`pkcs11:token=hardbound?module-path=${softHsm.modulePath}`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`1) Hex Fingerprint: ${await block('ec')}\nURI: pkcs11:`)
    const found = /^URI: (.*)$/m.exec(stdout)?.[1] ?? ''
    const again = await read(`${found}?module-path=${softHsm.modulePath}`, '--json')
    expect(JSON.parse(again.stdout)).toMatchObject([{ subject: 'CN=ec.example.com', uri: found }])
  })

  it('S13 lists what a selector matches in a folder', async () => {
    const { stdout } = await read(`folder:${lab.at('folder')}`, '--selector', 'Key=x509SubjectCN,Value=ec.example.com')
    expect(stdout).toBe(`Matching identities\n1) Hex Fingerprint: ${await block('ec')}\n`)
    const none = await read(`folder:${lab.at('folder')}`, '--selector', 'Key=x509SubjectCN,Value=none')
    expect(none).toEqual({ code: 0, stdout: 'No matching identities\n', stderr: '' })
  })

  it('opens PKCS #12 with its password', async () => {
    const flags = ['--p12-password', `file:${lab.at('password')}`, '--json']
    const { stdout } = await read(`p12:${lab.at('ec.p12')}`, ...flags)
    expect(JSON.parse(stdout)).toMatchObject([{ keyType: 'EC', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }])
  })

  it.each([
    ['a file that is not there', () => ['/nonexistent.pem'], 1, 'ERR_RA_FILE'],
    ['a file without a certificate', () => [lab.at('ec.key')], 1, 'ERR_RA_CERTIFICATE'],
    ['a selector for a file', () => [lab.at('ec.crt'), '--selector', 'x'], 2, 'no option but --json'],
    [
      'S13 a bad serial number',
      () => [`folder:${lab.path}`, '--selector', 'Key=x509Serial,Value=0x1'],
      2,
      '--selector',
    ],
    ['a PIN for a folder', () => [`folder:${lab.path}`, '--pin', 'prompt'], 2, '--pin does not go with'],
    ['M13 a PIN in the URI', () => ['pkcs11:?pin-value=hunter2'], 2, 'must not hold the PIN'],
    ['S14 a wrong password', () => [`p12:${lab.at('ec.p12')}`, '--p12-password', 'env:WRONG'], 1, 'ERR_RA_PASSWORD'],
    ['the store of another system', () => ['system'], 1, 'ERR_RA_STORE'],
  ] as const)('refuses %s', async (_, args, code, why) => {
    const outcome = await hardbound(['cert', 'read', ...args()], { env: { ...softHsm.env, WRONG: 'hunter2' } })
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(why) })
    expect(outcome.stderr).not.toContain('hunter2')
  })
})
