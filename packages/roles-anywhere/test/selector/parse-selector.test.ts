import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parseCertificateSelector } from '../../src/selector/parse-selector.ts'
import { parseSelectorJson, readCertificateSelector } from '../../src/selector/read-selector.ts'
import { type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'

const refusal = (code = 'ERR_RA_SELECTOR') => expect.objectContaining({ code })

let folder: OpensslFolder
beforeAll(async () => {
  folder = await opensslFolder()
})
afterAll(() => folder.remove())

describe('parseCertificateSelector', () => {
  it.each([
    [
      'Key=x509Subject,Value=CN=Subject Key=x509Issuer,Value=CN=Issuer Key=x509Serial,Value=15D19632234BF759A32802C0DA88F9E8AFC8702D',
      { x509Subject: 'CN=Subject', x509Issuer: 'CN=Issuer', x509Serial: '15D19632234BF759A32802C0DA88F9E8AFC8702D' },
    ],
    ['Key=x509Issuer,Value=CN=Issuer', { x509Issuer: 'CN=Issuer' }],
    [
      'Key=x509Subject,Value=CN=With Spaces,OU=a,OU=b,O=O With Spaces Key=x509Issuer,Value=CN=Issuer',
      { x509Subject: 'CN=With Spaces,OU=a,OU=b,O=O With Spaces', x509Issuer: 'CN=Issuer' },
    ],
    [
      '\t\n  Key=x509Subject,Value=CN=CN With Trailing Spaces  ,O=O With Spaces  \n\tKey=x509Issuer,Value=CN=Issuer \t\n',
      { x509Subject: 'CN=CN With Trailing Spaces  ,O=O With Spaces', x509Issuer: 'CN=Issuer' },
    ],
    ['Key=x509Issuer,Value= CN=a', { x509Issuer: ' CN=a' }],
    ['Key=x509Issuer,Value=CN=,Value=b', { x509Issuer: 'CN=,Value=b' }],
    ['Key=x509Issuer,Value=CN=aKey=x509Serial,Value=1', { x509Issuer: 'CN=a', x509Serial: '1' }],
    ['Key=x509Subject,Value=Key=1', { x509Subject: 'Key=1' }],
    ['Key=x509Subject,Value=Key=', { x509Subject: 'Key=' }],
    ['', {}],
  ])('reads %j', (text, expected) => {
    expect(parseCertificateSelector(text)).toEqual(expected)
  })

  it.each([
    ['laksdjadf', 'unable to parse cert selector string'],
    ['Key=laksdjf,Valalsd', 'unable to parse cert selector string'],
    ['   ', 'unable to parse cert selector string'],
    ['Key=laksdjf,Value=aslkdfj', 'cert selector contained invalid key'],
    ['Key=X509Subject,Value=CN=a', 'cert selector contained invalid key'],
    ['Key=x509Subject,Value=CN=a Key=x509Subject,Value=CN=a', "duplicate x509Subject keys can't be present"],
    ['Key=x509Subject,Value=CN=a Key=x509Issuer,Value=CN=b Key=x509Subject,Value=CN=c', 'duplicate x509Subject keys'],
    ['aslkdfj Key=x509Subject,Value=CN=a', 'unable to parse cert selector string'],
    ['Key=x509Subject,Value=CN=a Key=', 'unable to parse cert selector string'],
    ['Key=x509Subject,Value=', 'unable to parse cert selector string'],
    ['Key=x509Subject,Value=  ', 'unable to parse cert selector string'],
    ['Key=x509Subject,Value=CN=a\nO=b', 'unable to parse cert selector string'],
    ['Key=__proto__,Value=a', 'cert selector contained invalid key'],
    ['Key=x509Serial,Value=xyz', 'x509Serial must be hexadecimal'],
    ['Key=x509Serial,Value=0x12', 'x509Serial must be hexadecimal'],
    ['Key=x509Serial,Value=-12', 'x509Serial must be hexadecimal'],
    ['Key=x509SubjectDN,Value=CN', "distinguished name can't be read"],
    ['Key=x509Thumbprint,Value=1234', 'x509Thumbprint must be 40'],
    [`Key=x509Subject,Value=${'a'.repeat(17_000)}`, 'more than 16384 characters'],
  ])('S13: refuses %j', (text, message) => {
    expect(() => parseCertificateSelector(text)).toThrow(
      expect.objectContaining({ code: 'ERR_RA_SELECTOR', message: expect.stringContaining(message) }),
    )
  })

  it('F: gives what the expression of the original gives', () => {
    const pieces = fc.constantFrom(
      'Key=',
      'x509Subject',
      'x509Issuer',
      ',Value=',
      'CN=a',
      ' ',
      '\n',
      '\t',
      'b',
      ',',
      '=',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
        const text = parts.join('')
        expect(resultOf(text)).toEqual(original(text))
      }),
      { numRuns: 5_000 },
    )
  })
})

function resultOf(text: string): unknown {
  try {
    return parseCertificateSelector(text)
  } catch {
    return 'refused'
  }
}

/** Reference, section 4.6, step by step; but a value of blanks alone and a dangling `Key=` are refused, as is whatever is twice there. */
function original(text: string): unknown {
  const found: Record<string, string> = {}
  for (let rest = text; rest !== ''; ) {
    const match = /^[\t\n\f\r ]*Key=([^\n]+?),Value=([^\n]+?)[\t\n\f\r ]*(?=Key=|$)/.exec(rest)
    const [all = '', key = '', value = ''] = match ?? []
    if ((key !== 'x509Subject' && key !== 'x509Issuer') || key in found || value.trim() === '') return 'refused'
    found[key] = value
    rest = rest.slice(all.length)
  }
  return found
}

describe('readCertificateSelector', () => {
  const file = async (text: string): Promise<string> => {
    const path = join(folder.path, `selector-${text.length}.json`)
    await writeFile(path, text)
    return `file://${path}`
  }

  it('reads a JSON file; the case of member names does not count, and others may be there', async () => {
    const text = '[{"Key":"x509Subject","Value":"CN=a"},{"kEY":"x509Serial","value":"0a","Note":1}]'
    expect(await readCertificateSelector(await file(text))).toEqual({ x509Subject: 'CN=a', x509Serial: '0a' })
  })

  it('reads anything else as the selector itself', async () => {
    expect(await readCertificateSelector('Key=x509Serial,Value=0A')).toEqual({ x509Serial: '0A' })
    expect(await readCertificateSelector('')).toEqual({})
  })

  it('refuses a file that is not there', async () => {
    await expect(readCertificateSelector(`file://${folder.path}/none.json`)).rejects.toThrow(refusal('ERR_RA_FILE'))
  })

  it.each([
    'null',
    '{}',
    '"a"',
    '[',
    '[null]',
    '[1]',
    '[{}]',
    '[{"Key":"x509Subject"}]',
    '[{"Key":"x509Subject","Value":1}]',
    '[{"Key":"x509Subject","Value":""}]',
    '[{"Key":"no","Value":"a"}]',
    '[{"Key":"x509Subject","Value":"CN=a"},{"Key":"x509Subject","Value":"CN=a"}]',
  ])('S13: refuses %s', (text) => {
    expect(() => parseSelectorJson(text)).toThrow(refusal())
  })

  it('takes an empty list, which matches every certificate', () => {
    expect(parseSelectorJson('[]')).toEqual({})
  })
})
