import { RolesAnywhereError } from '../errors.ts'
import type { CertificateDetails } from './certificate-details.ts'
import { goNameText } from './go-name.ts'
import type { Name } from './name.ts'
import { parseDn } from './parse-dn.ts'
import { sameName } from './same-name.ts'

type Test = (certificate: CertificateDetails) => boolean

/** What each key of a selector means, as a function of its value. */
const KEYS = {
  x509Subject: (value) => (it) => goNameText(it.subject) === value,
  x509Issuer: (value) => (it) => goNameText(it.issuer) === value,
  x509Serial: (value) => serialIs(value),
  x509SubjectDN: (value) => nameIs(value, (it) => it.subject),
  x509IssuerDN: (value) => nameIs(value, (it) => it.issuer),
  x509SubjectCN: (value) => (it) => commonNames(it.subject).includes(value),
  x509IssuerCN: (value) => (it) => commonNames(it.issuer).includes(value),
  x509SanDns: (value) => (it) => it.dnsNames.some((name) => name.toLowerCase() === value.toLowerCase()),
  x509SanUri: (value) => (it) => it.uris.includes(value),
  x509SanEmail: (value) => (it) => it.emails.some((email) => mailbox(email) === mailbox(value)),
  x509Thumbprint: (value) => thumbprintIs(value),
} satisfies Record<string, (value: string) => Test>

/**
 * `x509Subject`, `x509Issuer`: the whole name exactly as Go prints it (`goNameText`), as `aws_signing_helper` has it.
 * `x509Serial`: hexadecimal, compared as a number.
 * `x509SubjectDN`, `x509IssuerDN`: the whole name, in any order and any usual spelling (`parseDn`).
 * `x509SubjectCN`, `x509IssuerCN`: one of its common names.
 * `x509SanDns`, `x509SanUri`, `x509SanEmail`: one of the alternative names; upper and lower case are one in host names only.
 * `x509Thumbprint`: SHA-1 or SHA-256 of the certificate, hexadecimal, colons or not.
 */
export type SelectorKey = keyof typeof KEYS

/** Which certificate: all that is given must match, and nothing given matches every one. */
export type CertificateSelector = { readonly [K in SelectorKey]?: string | undefined }

/** Whether selectors have such a key. Upper and lower case count. */
export const isSelectorKey = (key: string): key is SelectorKey => Object.hasOwn(KEYS, key)

/**
 * Makes a test of a selector.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`, on an unknown key, and a value that can't match anything.
 */
export function compileSelector(selector: CertificateSelector): Test {
  const tests = Object.entries(selector)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([key, value]) => {
      if (!isSelectorKey(key)) {
        refuse(
          `cert selector contained invalid key ${JSON.stringify(key.slice(0, 64))}: use ${Object.keys(KEYS).join(', ')}`,
        )
      }
      if (value === '') refuse(`the cert selector's ${key} is empty: leave it out to match every certificate`)
      return KEYS[key](value)
    })
  return (certificate) => tests.every((test) => test(certificate))
}

function serialIs(value: string): Test {
  if (!/^[0-9a-f]+$/i.test(value)) refuse('x509Serial must be hexadecimal digits, without colons or 0x')
  const serial = BigInt(`0x${value}`)
  return (it) => it.serial === serial
}

function nameIs(value: string, of: (certificate: CertificateDetails) => Name): Test {
  const name = parseDn(value)
  return (it) => sameName(of(it), name)
}

function thumbprintIs(value: string): Test {
  const hex = value.replaceAll(':', '').toLowerCase()
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hex))
    refuse('x509Thumbprint must be 40 (SHA-1) or 64 (SHA-256) hexadecimal digits')
  return (it) => it.sha1 === hex || it.sha256 === hex
}

const commonNames = (name: Name): string[] =>
  name
    .flat()
    .filter(({ oid }) => oid === '2.5.4.3')
    .map(({ value }) => value)

/** With the host in lower case: what is before the @ is the host's business. RFC 5321, section 2.4. */
function mailbox(address: string): string {
  const at = address.lastIndexOf('@')
  return address.slice(0, at) + address.slice(at).toLowerCase()
}

function refuse(message: string): never {
  throw new RolesAnywhereError('ERR_RA_SELECTOR', message)
}
