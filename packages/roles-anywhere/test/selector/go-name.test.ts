import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readCertificateDetails } from '../../src/selector/certificate-details.ts'
import { goNameText } from '../../src/selector/go-name.ts'
import { parseName } from '../../src/selector/name.ts'
import { type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'
import vectors from '../vectors/go-names.json' with { type: 'json' }

let folder: OpensslFolder
beforeAll(async () => {
  folder = await opensslFolder()
})
afterAll(() => folder.remove())

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const subjectOf = async (subject: string[], mask?: string): Promise<string> => {
  const { der } = await folder.certificate({ subject, ...(mask !== undefined && { mask }) })
  return goNameText(readCertificateDetails(der).subject)
}

describe('goNameText', () => {
  it('S13: writes names as Go does, and refuses those that Go refuses', () => {
    expect(vectors.cases.length + vectors.refused.length).toBe(104)
    for (const { der, text } of vectors.cases) expect(goNameText(parseName(hex(der)))).toBe(text)
    for (const der of vectors.refused) expect(() => parseName(hex(der))).toThrow(SyntaxError)
  })

  it('writes components of a domain and email in hexadecimal, after the others and backwards', async () => {
    const subject = ['0.DC = com', '1.DC = example', 'OU = Employees', 'CN = xxx', 'emailAddress = who@example.com']
    expect(await subjectOf(subject)).toBe(
      'CN=xxx,OU=Employees,1.2.840.113549.1.9.1=#0c0f77686f406578616d706c652e636f6d,' +
        '0.9.2342.19200300.100.1.25=#13076578616d706c65,0.9.2342.19200300.100.1.25=#1303636f6d',
    )
  })

  it('has one order for all known types, whatever the certificate has', async () => {
    const known = [
      'C = DE',
      'O = o',
      'OU = ou',
      'ST = st',
      'L = l',
      'street = s',
      'postalCode = 1',
      'CN = cn',
      'serialNumber = 9',
    ]
    const text = 'SERIALNUMBER=9,CN=cn,OU=ou,O=o,POSTALCODE=1,STREET=s,L=l,ST=st,C=DE'
    expect(await subjectOf(known)).toBe(text)
    expect(await subjectOf(known.toReversed())).toBe(text)
  })

  it('joins values of one type, takes multi-valued RDNs apart, and keeps the last common name', async () => {
    expect(await subjectOf(['0.OU = a', '1.OU = b', '0.CN = first', '+0.O = with', '1.CN = last'])).toBe(
      'CN=last,OU=a+OU=b,O=with',
    )
  })

  it.each(['utf8only', 'MASK:0x800', 'nombstr'])('has the same text whatever the string type: %s', async (mask) => {
    const subject = mask === 'nombstr' ? ['CN = Zoe', 'O = a\\, b'] : ['CN = Zoë', 'O = a\\, b']
    expect(await subjectOf(subject, mask)).toBe(mask === 'nombstr' ? 'CN=Zoe,O=a\\, b' : 'CN=Zoë,O=a\\, b')
  })

  it('S13: takes an emoji as it is', async () => {
    expect(await subjectOf(['CN = 🗝️ key'])).toBe('CN=🗝️ key')
  })

  it('is empty for an empty name', () => {
    expect(goNameText(parseName(hex('3000')))).toBe('')
  })
})
