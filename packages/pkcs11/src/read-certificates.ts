import type { Handle } from './cryptoki.ts'
import { findObjects, type ObjectSearch } from './find-objects.ts'
import { CKA } from './internal/ck.ts'
import { attribute } from './objects.ts'
import type { Pkcs11Session } from './session.ts'

/** A certificate that lies in a token. */
export interface Pkcs11Certificate {
  /** CKA_LABEL; may be empty. */
  readonly label: string
  /** CKA_ID: that of the private key, where that is there; may be empty. */
  readonly id: Uint8Array
  /** CKA_VALUE: as the token has it, not looked at. */
  readonly der: Uint8Array
}

/**
 * Reads the certificates with this label and id, at most 256. Those of which a token has no more than an address (CKA_URL) are left
 * out.
 *
 * @throws {Pkcs11Error}
 */
export function readCertificates(
  session: Pkcs11Session,
  { object, id }: Omit<ObjectSearch, 'type'> = {},
): Pkcs11Certificate[] {
  const octets = (handle: Handle, type: number): Buffer => attribute(session, handle, type) ?? Buffer.alloc(0)
  return findObjects(session, { object, id, type: 'cert' })
    .map((it) => ({
      label: octets(it, CKA.LABEL).toString('utf8'),
      id: octets(it, CKA.ID),
      der: octets(it, CKA.VALUE),
    }))
    .filter(({ der }) => der.length > 0)
}
