import { RolesAnywhereError } from '../errors.ts'
import { type CertificateSelector, compileSelector } from './certificate-selector.ts'

const MAX_CHARACTERS = 16_384
const HEAD = /[\t\n\f\r ]*Key=([^\n]+?),Value=/y
const NEXT = 'Key='
const BLANK = '\t\n\f\r '

/**
 * Reads a selector in the form that a command line has: `Key=x509Subject,Value=CN=a,O=b Key=x509Serial,Value=01AB`. A value goes on
 * to the next `Key=` or the end, blanks before those left out; it has no newline.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`
 */
export function parseCertificateSelector(text: string): CertificateSelector {
  if (text.length > MAX_CHARACTERS) refuse(`it has more than ${MAX_CHARACTERS} characters`)
  const pairs: [key: string, value: string][] = []
  for (let at = 0; at < text.length; ) {
    HEAD.lastIndex = at
    const key = HEAD.exec(text)?.[1] ?? refuse(`"Key=…,Value=…" must stand at character ${at + 1}`)
    const start = HEAD.lastIndex
    const next = text.indexOf(NEXT, start + 1)
    at = next === -1 ? text.length : next
    pairs.push([key, trimmed(text.slice(start, at), key)])
  }
  return selectorOf(pairs)
}

/**
 * Makes a selector of pairs, and checks it.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`, also where a key is there twice.
 */
export function selectorOf(pairs: readonly (readonly [key: string, value: string])[]): CertificateSelector {
  const selector = new Map<string, string>()
  for (const [key, value] of pairs) {
    if (selector.has(key)) {
      throw new RolesAnywhereError(
        'ERR_RA_SELECTOR',
        `duplicate ${key.slice(0, 64)} keys can't be present in cert selector`,
      )
    }
    selector.set(key, value)
  }
  const made: CertificateSelector = Object.fromEntries(selector)
  compileSelector(made)
  return made
}

function trimmed(text: string, key: string): string {
  let end = text.length
  while (end > 0 && BLANK.includes(text.charAt(end - 1))) end--
  const value = text.slice(0, end)
  if (value === '' || value.includes('\n'))
    refuse(`the value of ${key.slice(0, 64)} must be on one line, and not empty`)
  return value
}

function refuse(why: string): never {
  throw new RolesAnywhereError('ERR_RA_SELECTOR', `unable to parse cert selector string: ${why}`)
}
