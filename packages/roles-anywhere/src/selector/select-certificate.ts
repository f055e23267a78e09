import { RolesAnywhereError } from '../errors.ts'
import { type CertificateDetails, readCertificateDetails } from './certificate-details.ts'
import { type CertificateSelector, compileSelector } from './certificate-selector.ts'

const SHOWN = 8

/** Something that has a certificate, DER. */
export interface HasCertificate {
  readonly certificate: Uint8Array
}

/** One that matches, and what its certificate says. */
export interface Match<T extends HasCertificate> {
  readonly entry: T
  readonly details: CertificateDetails
}

/**
 * All that match, in their order. A certificate that is there twice counts once; one that can't be read matches nothing.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`
 */
export function matchingCertificates<T extends HasCertificate>(
  entries: readonly T[],
  selector: CertificateSelector,
): Match<T>[] {
  const matches = compileSelector(selector)
  const found = new Map<string, Match<T>>()
  for (const entry of entries) {
    const details = readable(entry.certificate)
    if (details !== undefined && matches(details) && !found.has(details.sha256))
      found.set(details.sha256, { entry, details })
  }
  return [...found.values()]
}

/** How to choose where several match. */
export interface SelectCertificateOptions {
  /** Take the one that expires last; of those that expire at once, the one that was valid last. Default: false. */
  readonly useLatestExpiring?: boolean | undefined
}

/**
 * The one that matches.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR`, where none does, or several do: it says which, by their SHA-1 thumbprints.
 */
export function selectCertificate<T extends HasCertificate>(
  entries: readonly T[],
  selector: CertificateSelector,
  { useLatestExpiring = false }: SelectCertificateOptions = {},
): Match<T> {
  const found = matchingCertificates(entries, selector)
  if (useLatestExpiring) found.sort(lastToExpireFirst)
  const [first] = found
  if (first === undefined) {
    throw new RolesAnywhereError(
      'ERR_RA_SELECTOR',
      `no matching identities: none of the ${entries.length} certificates there has all that the selector asks for`,
    )
  }
  if (found.length > 1 && !useLatestExpiring) {
    const shown = found.slice(0, SHOWN).map(({ details }) => details.sha1)
    throw new RolesAnywhereError(
      'ERR_RA_SELECTOR',
      `multiple matching identities (${found.length}): name one by x509Thumbprint, or use the latest to expire. ` +
        `Their thumbprints: ${shown.join(', ')}${found.length > SHOWN ? ', …' : ''}`,
    )
  }
  return first
}

function lastToExpireFirst({ details: a }: Match<HasCertificate>, { details: b }: Match<HasCertificate>): number {
  return b.notAfter - a.notAfter || b.notBefore - a.notBefore || (a.sha256 < b.sha256 ? -1 : 1)
}

function readable(der: Uint8Array): CertificateDetails | undefined {
  try {
    return readCertificateDetails(der)
  } catch (error) {
    if (error instanceof RolesAnywhereError) return undefined
    throw error
  }
}
