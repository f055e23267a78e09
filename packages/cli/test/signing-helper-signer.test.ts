import { X509Certificate } from 'node:crypto'
import { chmod, copyFile, readFile, utimes } from 'node:fs/promises'
import type { X509IdentitySource } from '@hardbound/roles-anywhere'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { signerOf } from '../src/signing-helper/signer.ts'
import type { SignerFlags } from '../src/signing-helper/types.ts'
import { type Certificates, makeCertificates, RSA } from './certificates.ts'
import { codeOf, onTerminal, signerFlags } from './signing-helper-lab.ts'

const PASSWORD = 'correct-horse'

let lab: Certificates
beforeAll(async () => {
  lab = await makeCertificates()
  const { at, openssl } = lab
  await Promise.all([lab.leaf('rsa', RSA), lab.leaf('ec')])
  await openssl('pkcs8', '-topk8', '-in', 'ec.key', '-out', 'ec-locked.key', '-passout', `pass:${PASSWORD}`)
  const [leaf, key, intermediate] = await Promise.all(
    ['ec.crt', 'ec.key', 'intermediate.crt'].map((name) => readFile(at(name), 'utf8')),
  )
  await lab.write('combined.pem', `${key}${leaf}${intermediate}`)
  const p12 = ['pkcs12', '-export', '-inkey', 'ec.key', '-in', 'ec.crt', '-certfile', 'intermediate.crt']
  await openssl(...p12, '-passout', 'pass:', '-out', 'open.p12')
  await openssl(...p12, '-passout', `pass:${PASSWORD}`, '-out', 'locked.p12')
})
afterAll(() => lab?.remove())

const opened: X509IdentitySource[] = []
const warnings: string[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((it) => it.close()))
  warnings.length = 0
})
async function signer(given: Partial<SignerFlags>): Promise<X509IdentitySource> {
  const source = await signerOf(signerFlags(given), ({ code }) => warnings.push(code))
  opened.push(source)
  return source
}
const subjects = async (source: X509IdentitySource): Promise<(string | undefined)[]> => {
  const { certificate, chain } = await source.current()
  return [certificate, ...chain].map((der) => /CN=([\w-]+)/.exec(new X509Certificate(der).subject)?.[1])
}
const files = (certificate: string, key: string) => ({ certificate: lab.at(certificate), 'private-key': lab.at(key) })

describe('signerOf', () => {
  it.each([
    ['PEM', () => files('ec.crt', 'ec.key'), ['ec']],
    ['RSA', () => files('rsa.crt', 'rsa.key'), ['rsa']],
    [
      'intermediates',
      () => ({ ...files('ec.crt', 'ec.key'), intermediates: lab.at('intermediate.crt') }),
      ['ec', 'intermediate'],
    ],
    ['one file with everything', () => ({ certificate: lab.at('combined.pem') }), ['ec', 'intermediate']],
    ['an encrypted key', () => ({ ...files('ec.crt', 'ec-locked.key'), 'pkcs8-password': PASSWORD }), ['ec']],
    ['PKCS #12', () => ({ certificate: lab.at('open.p12') }), ['ec', 'intermediate']],
    [
      'PKCS #12 with a password',
      () => ({ certificate: lab.at('locked.p12'), 'pkcs8-password': PASSWORD }),
      ['ec', 'intermediate'],
    ],
    [
      'PKCS #12 with a password that it does not need',
      () => ({ certificate: lab.at('open.p12'), 'pkcs8-password': 'hunter2' }),
      ['ec', 'intermediate'],
    ],
  ])('opens %s', async (_, given, expected) => {
    const source = await signer(given())
    expect(await subjects(source)).toEqual(expected)
    const { certificate, keyType, sign } = await source.current()
    const signature = await sign(Buffer.from('message'), 'sha256')
    expect(keyType).toBe(expected[0])
    expect(new X509Certificate(certificate).publicKey.asymmetricKeyType).toBe(expected[0])
    expect(signature.length).toBeGreaterThan(60)
  })

  it('Y01 gives the new certificate once the files were replaced', async () => {
    for (const end of ['crt', 'key']) await copyFile(lab.at(`ec.${end}`), lab.at(`rotated.${end}`))
    const source = await signer(files('rotated.crt', 'rotated.key'))
    expect(await subjects(source)).toEqual(['ec'])
    for (const end of ['crt', 'key']) {
      await copyFile(lab.at(`rsa.${end}`), lab.at(`rotated.${end}`))
      await utimes(lab.at(`rotated.${end}`), 1, 1)
    }
    expect(await subjects(source)).toEqual(['rsa'])
  })

  it('warns of a private key that is open to others', async () => {
    await copyFile(lab.at('ec.key'), lab.at('exposed.key'))
    await chmod(lab.at('exposed.key'), 0o644)
    await signer(files('ec.crt', 'exposed.key'))
    expect(warnings).toEqual(['WARN_RA_KEY_EXPOSED'])
  })

  it.each([
    ['nothing at all', () => ({}), 'unable to use cert store signer on linux'],
    ['a private key alone', () => ({ 'private-key': lab.at('ec.key') }), '--certificate is missing'],
    ['a TPM handle alone', () => ({ 'private-key': 'handle:0x81000101' }), '--certificate is missing'],
    ['S11 a pair that is none', () => files('ec.crt', 'rsa.key'), 'ERR_RA_MISMATCH'],
    ['a key that is not there', () => files('ec.crt', 'none.key'), 'ERR_RA_FILE'],
    ['a certificate that is not there', () => ({ certificate: lab.at('none.crt') }), 'ERR_RA_FILE'],
    [
      'a password for a key without',
      () => ({ ...files('ec.crt', 'ec.key'), 'pkcs8-password': PASSWORD }),
      'not encrypted',
    ],
    [
      'another password',
      () => ({ ...files('ec.crt', 'ec-locked.key'), 'pkcs8-password': 'hunter2' }),
      'ERR_RA_PASSWORD',
    ],
    [
      'another password of PKCS #12',
      () => ({ certificate: lab.at('locked.p12'), 'pkcs8-password': 'hunter2' }),
      'ERR_RA_PASSWORD',
    ],
    [
      'intermediates beside PKCS #12',
      () => ({ certificate: lab.at('open.p12'), intermediates: lab.at('intermediate.crt') }),
      "can't specify certificate chain",
    ],
    [
      'a key among intermediates',
      () => ({ ...files('ec.crt', 'ec.key'), intermediates: lab.at('combined.pem') }),
      'ERR_RA_CHAIN',
    ],
    [
      'a certificate in a token for a key that is not',
      () => ({ ...files('ec.crt', 'ec.key'), certificate: 'pkcs11:object=ec' }),
      'pkcs11: URI too',
    ],
    [
      'a handle that is none',
      () => ({ ...files('ec.crt', 'ec.key'), 'private-key': 'handle:zz' }),
      'invalid hex TPM handle',
    ],
    [
      'a prefix in capitals',
      () => ({ ...files('ec.crt', 'ec.key'), 'private-key': 'HANDLE:0x81000101' }),
      'ERR_RA_FILE',
    ],
  ])('F18 refuses %s', async (_, given, why) => {
    expect(await codeOf(signer(given()), PASSWORD, 'hunter2')).toContain(why)
  })
})

describe('aws_signing_helper on a terminal', () => {
  const pair = () => ['--certificate', lab.at('ec.crt'), '--private-key', lab.at('ec-locked.key')]
  const p12 = () => ['--certificate', lab.at('locked.p12')]
  it.each([
    ['of a private key', pair, 'Password of the private key in '],
    ['of PKCS #12', p12, 'Password of '],
  ])('M13 asks for the password %s, and shows nothing of it', async (_, args, prompt) => {
    const { code, shown } = await onTerminal(['sign-string', '--format', 'text', ...args()], `${PASSWORD}\r`)
    expect(code).toBe(0)
    expect(shown).toContain(prompt)
    expect(shown).toMatch(/[0-9a-f]{128,}$/)
    expect(shown).not.toContain(PASSWORD)
  })

  it.each([
    ['of a private key', pair],
    ['of PKCS #12', p12],
  ])('M16 takes a wrong password %s once, and does not ask again', async (_, args) => {
    const { code, shown } = await onTerminal(['sign-string', ...args()], 'hunter2\r')
    expect(code).toBe(1)
    expect(shown.match(/Password of/g)).toHaveLength(1)
    expect(shown).toContain('[ERR_RA_PASSWORD]')
    expect(shown).not.toContain('hunter2')
  })
})
