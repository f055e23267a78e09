import type { Tag } from '../internal/accounts.ts'
import type { Certificate } from './certificate.ts'
import { type Attribute, alternativeNames, attributesOf } from './names.ts'

/** Session tags that a certificate gives, by the default mapping of a profile. */
export interface CertificateTags {
  /** `x509Subject/CN`, `x509Issuer/O`, `x509SAN/DNS`, `x509SAN/Name/CN` ... */
  readonly tags: readonly Tag[]
  /** What could not be a tag, by field: characters or length that STS does not take. */
  readonly failed: { readonly Issuer: string[]; readonly Subject: string[]; readonly SAN: string[] }
}

const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u
const MAX_PREFIXED_NAME = 61

/** User Guide, "Default mapping behavior": values of one type are joined by a slash, in their order. */
export function certificateTags(certificate: Certificate): CertificateTags {
  const { dns, uri, directory } = alternativeNames(certificate)
  const fields = {
    Subject: named('x509Subject/', attributesOf(certificate.subject)),
    Issuer: named('x509Issuer/', attributesOf(certificate.issuer)),
    SAN: [
      ...(dns === undefined ? [] : [{ key: 'x509SAN/DNS', value: dns }]),
      ...(uri === undefined ? [] : [{ key: 'x509SAN/URI', value: uri }]),
      ...named('x509SAN/Name/', directory),
    ],
  }
  const failed = ({ value }: Tag): boolean => !TAG_VALUE.test(value)
  const names = (tags: readonly Tag[]): string[] =>
    tags.filter(failed).map(({ key }) => key.slice(key.indexOf('/') + 1))
  return {
    tags: Object.values(fields).flatMap((tags) => tags.filter((tag) => !failed(tag))),
    failed: { Issuer: names(fields.Issuer), Subject: names(fields.Subject), SAN: names(fields.SAN) },
  }
}

/** User Guide, "Source identity rules". */
export function sourceIdentity({ subject, serialHex }: Certificate): string {
  const name = attributesOf(subject).findLast(({ type }) => type === 'CN')?.value
  if (name === undefined) return `ID=${serialHex}`
  return name.length <= MAX_PREFIXED_NAME ? `CN=${name}` : name
}

function named(prefix: string, attributes: readonly Attribute[]): Tag[] {
  const types = [...new Set(attributes.map(({ type }) => type))].filter((type) => !/^\d/.test(type))
  return types.map((type) => {
    const values = attributes.filter((attribute) => attribute.type === type).map(({ value }) => value)
    return { key: `${prefix}${type}`, value: values.join('/') }
  })
}
