import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readCertificateDetails } from '../../src/selector/certificate-details.ts'
import type { CertificateSelector } from '../../src/selector/certificate-selector.ts'
import { matchingCertificates, selectCertificate } from '../../src/selector/select-certificate.ts'
import { type MadeCertificate, type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'

let folder: OpensslFolder
let made: Record<'domain' | 'empty' | 'later' | 'emoji', MadeCertificate>
let entries: { certificate: Uint8Array }[]

const names =
  'DNS:Client.example.com, DNS:*.example.com, URI:spiffe://example.com/client, email:Client@Example.com, IP:127.0.0.1'

beforeAll(async () => {
  folder = await opensslFolder()
  await folder.certificate({
    name: 'ca',
    subject: ['O = Example', 'CN = Issuer'],
    extensions: ['basicConstraints = critical, CA:TRUE'],
  })
  const subject = [
    '0.DC = com',
    '1.DC = example',
    'OU = Employees',
    '+UID = u1',
    'CN = xxx',
    'emailAddress = who@example.com',
  ]
  made = {
    domain: await folder.certificate({
      subject,
      extensions: [`subjectAltName = ${names}`],
      serial: '0x0abc',
      issuer: 'ca',
    }),
    empty: await folder.certificate({ subject: [], serial: '0x8000000000000000000000000000000000000001', days: 10 }),
    later: await folder.certificate({ subject: ['CN = renewed'], days: 60 }),
    emoji: await folder.certificate({ subject: ['CN = 🗝️, key', 'O = Exämple'], days: 20 }),
  }
  entries = Object.values(made).map(({ der }) => ({ certificate: der }))
})
afterAll(() => folder.remove())

const matched = (selector: CertificateSelector): string[] =>
  matchingCertificates(entries, selector).map(({ entry }) => Object.values(made)[entries.indexOf(entry)]!.name)
const hash = (name: string, { der }: MadeCertificate): string => createHash(name).update(der).digest('hex')

const GO =
  'CN=xxx,OU=Employees,1.2.840.113549.1.9.1=#0c0f77686f406578616d706c652e636f6d,0.9.2342.19200300.100.1.1=#0c027531,' +
  '0.9.2342.19200300.100.1.25=#0c076578616d706c65,0.9.2342.19200300.100.1.25=#0c03636f6d'

describe('matchingCertificates', () => {
  it('matches all without a selector, each certificate once', () => {
    expect(matched({})).toHaveLength(4)
    expect(matchingCertificates([...entries, ...entries], {})).toHaveLength(4)
  })

  it("compares with Go's text, character by character", () => {
    const text = GO.replaceAll('#0c', '#13').replace('#130f', '#0c0f') // Go chooses the string type anew
    expect(matched({ x509Subject: text })).toEqual([made.domain.name])
    expect(matched({ x509Subject: text.replace('CN', 'cn') })).toEqual([])
    expect(matched({ x509Issuer: 'CN=Issuer,O=Example' })).toEqual([made.domain.name])
    expect(matched({ x509Issuer: 'O=Example,CN=Issuer' })).toEqual([])
  })

  it.each([
    'E=who@example.com,CN=xxx,UID=u1+OU=Employees,DC=example,DC=com',
    'dc = com, dc = example, ou = Employees + uid = u1, cn = xxx, emailAddress = who@example.com',
    GO,
  ])('x509SubjectDN: matches %s', (x509SubjectDN) => {
    expect(matched({ x509SubjectDN })).toEqual([made.domain.name])
  })

  it('S13: matches emoji and escapes exactly', () => {
    expect(matched({ x509Subject: 'CN=🗝️\\, key,O=Exämple' })).toEqual([made.emoji.name])
    expect(matched({ x509Subject: 'CN=🗝️, key,O=Exämple' })).toEqual([])
    expect(matched({ x509SubjectDN: 'CN=🗝\\, key,O=Exämple' })).toEqual([]) // without its variation selector
    expect(matched({ x509SubjectCN: '🗝️, key' })).toEqual([made.emoji.name])
  })

  it.each<[CertificateSelector, 'domain' | 'empty' | undefined]>([
    [{ x509Serial: 'ABC' }, 'domain'],
    [{ x509Serial: '0000abc' }, 'domain'],
    [{ x509Serial: '0' }, undefined],
    [{ x509Serial: '8000000000000000000000000000000000000001' }, 'empty'],
    [{ x509IssuerCN: 'Issuer' }, 'domain'],
    [{ x509IssuerCN: 'issuer' }, undefined],
    [{ x509IssuerDN: 'cn=Issuer, o=Example' }, 'domain'],
    [{ x509SanDns: 'client.EXAMPLE.com' }, 'domain'],
    [{ x509SanDns: '*.example.com' }, 'domain'],
    [{ x509SanDns: 'other.example.com' }, undefined],
    [{ x509SanUri: 'spiffe://example.com/client' }, 'domain'],
    [{ x509SanUri: 'spiffe://example.com/CLIENT' }, undefined],
    [{ x509SanEmail: 'Client@example.COM' }, 'domain'],
    [{ x509SanEmail: 'client@example.com' }, undefined],
    [{ x509SanEmail: 'who@example.com' }, undefined],
    [{ x509SubjectCN: 'xxx', x509Serial: 'ABC', x509SanDns: 'client.example.com' }, 'domain'],
    [{ x509SubjectCN: 'xxx', x509Serial: 'ABD' }, undefined],
    [{ x509Subject: undefined, x509Serial: 'ABC' }, 'domain'],
  ])('S13: %j', (selector, expected) => {
    expect(matched(selector)).toEqual(expected === undefined ? [] : [made[expected].name])
  })

  it('matches thumbprints with colons or not', () => {
    const sha256 = hash('sha256', made.later)
    expect(matched({ x509Thumbprint: sha256.toUpperCase() })).toEqual([made.later.name])
    expect(matched({ x509Thumbprint: hash('sha1', made.later).match(/../g)!.join(':') })).toEqual([made.later.name])
    expect(matched({ x509Thumbprint: '0'.repeat(40) })).toEqual([])
  })

  it('leaves out what is no certificate', () => {
    const broken = { certificate: made.domain.der.subarray(0, -1) }
    expect(
      matchingCertificates([broken, { certificate: Buffer.from('no') }, { certificate: Buffer.alloc(70_000) }], {}),
    ).toEqual([])
  })

  it.each(['x509Nonsense', 'toString', 'x509subject'])('refuses the key %s', (key) => {
    expect(() => matched({ [key]: 'a' })).toThrow(expect.objectContaining({ code: 'ERR_RA_SELECTOR' }))
  })

  it('refuses an empty value, which would match more than is meant', () => {
    expect(() => matched({ x509Subject: '' })).toThrow('x509Subject is empty')
  })
})

describe('selectCertificate', () => {
  it('S13: says which match where several do, and where none does', () => {
    expect(() => selectCertificate(entries, {})).toThrow(
      expect.objectContaining({
        code: 'ERR_RA_SELECTOR',
        message: expect.stringMatching(/^multiple matching identities \(4\)/),
      }),
    )
    for (const it of Object.values(made)) expect(() => selectCertificate(entries, {})).toThrow(hash('sha1', it))
    expect(() => selectCertificate(entries, { x509Serial: '1' })).toThrow('no matching identities: none of the 4')
  })

  it('names eight at most', async () => {
    const many: { certificate: Uint8Array }[] = []
    for (let i = 0; i < 9; i++) many.push({ certificate: (await folder.certificate()).der })
    expect(() => selectCertificate(many, {})).toThrow(/\(9\).*(?:[0-9a-f]{40}, ){8}…$/)
  })

  it('takes the one that expires last', () => {
    const { details } = selectCertificate(entries, {}, { useLatestExpiring: true })
    expect(Buffer.compare(details.der, made.later.der)).toBe(0)
    expect(selectCertificate(entries, { x509Serial: 'abc' }, { useLatestExpiring: true }).entry).toBe(entries[0])
  })

  it('takes the same one of two that end at once, however they lie there', async () => {
    const two = [await folder.certificate(), await folder.certificate()].map(({ der }) => ({ certificate: der }))
    const chosen = (list: typeof two) => selectCertificate(list, {}, { useLatestExpiring: true }).details.sha256
    expect(chosen(two)).toBe(chosen(two.toReversed()))
  })
})

describe('readCertificateDetails', () => {
  it('reads what is in a certificate', () => {
    const details = readCertificateDetails(made.domain.der)
    expect(details).toMatchObject({
      serial: 0xabcn,
      authority: false,
      publicKeyOid: '1.2.840.10045.2.1',
      dnsNames: ['Client.example.com', '*.example.com'],
      uris: ['spiffe://example.com/client'],
      emails: ['Client@Example.com'],
      sha1: hash('sha1', made.domain),
    })
    expect(details.notAfter - details.notBefore).toBe(30 * 86_400_000)
    expect(readCertificateDetails(made.empty.der).subject).toEqual([])
    expect(readCertificateDetails(made.empty.der).dnsNames).toEqual([])
  })

  it('F: cut off anywhere it is refused by a typed error', () => {
    for (let length = 0; length < made.domain.der.length; length++) {
      expect(() => readCertificateDetails(made.domain.der.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'ERR_RA_CERTIFICATE' }),
      )
    }
  })

  it('F: with any octet changed it is read, or refused by a typed error', () => {
    for (let at = 0; at < made.domain.der.length; at++) {
      const changed = Buffer.from(made.domain.der)
      changed[at]! ^= 0xff
      try {
        readCertificateDetails(changed)
      } catch (error) {
        expect(error).toMatchObject({ name: 'RolesAnywhereError', code: 'ERR_RA_CERTIFICATE' })
      }
    }
  })
})
