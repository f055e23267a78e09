import type { X509Identity } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { makeIdentity, type Named } from './make-identity.ts'
import type { PasswordKeeper } from './password.ts'
import { readPemBundle, readPemCertificates } from './pem-certificates.ts'
import { readPemPrivateKey } from './pem-private-key.ts'

/** The texts of one generation. */
export interface PemTexts {
  readonly certificate: Named<Uint8Array>
  readonly privateKey: Named<Uint8Array>
  readonly intermediates?: Named<Uint8Array> | undefined
}

/**
 * Reads an identity in PEM. The leaf is the first certificate; intermediates are those of their own text, or what follows the leaf.
 *
 * @returns The identity, and what forgets its key.
 * @throws {RolesAnywhereError}
 */
export async function readPemIdentity(
  { certificate, privateKey, intermediates }: PemTexts,
  password: PasswordKeeper,
  onWarning?: OnRolesAnywhereWarning,
): Promise<{ identity: X509Identity; wipe(): void }> {
  const [leaf, ...rest] = readPemCertificates(certificate)
  const others =
    intermediates === undefined
      ? { from: certificate.from, value: rest }
      : { from: intermediates.from, value: readPemBundle(intermediates) }
  const key = await readPemPrivateKey(privateKey, password)
  const identity = await makeIdentity({
    leaf: { from: certificate.from, value: leaf },
    others,
    key: { from: privateKey.from, value: key },
    onUnlinked: intermediates && onWarning,
  })
  return { identity, wipe: () => key.wipe() }
}
