import { RolesAnywhereError } from '../errors.ts'
import type { Named } from './make-identity.ts'
import { blocksOf } from './pem-certificates.ts'
import type { TpmKeyName, TpmKeyPlace } from './tpm-keys.ts'

/**
 * Where a key is that a caller has named.
 *
 * @param read Gives what is in a file.
 * @throws {RolesAnywhereError} `ERR_RA_KEY`
 */
export function placeOf(key: TpmKeyName, read: (path: string) => Named<Uint8Array>): TpmKeyPlace {
  if ('handle' in key) return { from: `the TPM at 0x${key.handle.toString(16)}`, key }
  if ('pem' in key)
    return { from: '"key.pem"', key: { pem: tss2In({ from: '"key.pem"', value: Buffer.from(key.pem) }) } }
  return { from: key.file, key: { pem: tss2In(read(key.file)) } }
}

/** The one TSS2 PRIVATE KEY among what else may be there, such as the certificate. */
function tss2In({ from, value }: Named<Uint8Array>): string {
  const label = 'TSS2 PRIVATE KEY'
  const der = blocksOf({ from, value }, 'ERR_RA_KEY').find((it) => it.label === label)?.der
  if (der === undefined) throw new RolesAnywhereError('ERR_RA_KEY', `no ${label} is in ${from}`)
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
