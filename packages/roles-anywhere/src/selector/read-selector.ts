import { RolesAnywhereError } from '../errors.ts'
import { readWholeFile } from '../identity/read-file.ts'
import type { CertificateSelector } from './certificate-selector.ts'
import { parseCertificateSelector, selectorOf } from './parse-selector.ts'

const FILE = 'file://'

/**
 * Reads a selector as `--cert-selector` has it: the text itself, or `file://` and the path of a JSON file. Nothing matches every
 * certificate.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR` or `ERR_RA_FILE`
 */
export async function readCertificateSelector(given: string): Promise<CertificateSelector> {
  if (!given.startsWith(FILE)) return parseCertificateSelector(given)
  const { octets } = await readWholeFile(given.slice(FILE.length))
  return parseSelectorJson(octets.toString('utf8'))
}

/**
 * Reads a selector in JSON: `[{"Key":"x509Subject","Value":"CN=a"}]`. As in Go, the case of member names does not count, and other
 * members may be there.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`
 */
export function parseSelectorJson(text: string): CertificateSelector {
  const entries = parsed(text)
  if (!Array.isArray(entries)) refuse()
  return selectorOf(entries.map((entry: unknown) => [member(entry, 'key'), member(entry, 'value')] as const))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return refuse() // without its cause, which quotes the file
  }
}

function member(entry: unknown, name: string): string {
  if (typeof entry !== 'object' || entry === null) refuse()
  const value: unknown = Object.entries(entry).findLast(([key]) => key.toLowerCase() === name)?.[1]
  return typeof value === 'string' ? value : refuse()
}

function refuse(): never {
  throw new RolesAnywhereError(
    'ERR_RA_SELECTOR',
    'unable to parse JSON map entries: a cert selector file is [{"Key":"x509Subject","Value":"CN=…"}, …]',
  )
}
