import type { OBJECT_CLASS } from './internal/ck.ts'

/** What a PKCS #11 URI says, decoded. All given path attributes have to match. RFC 7512, section 2.3. */
export interface Pkcs11Uri {
  readonly token?: string
  readonly manufacturer?: string
  readonly serial?: string
  readonly model?: string
  readonly libraryManufacturer?: string
  readonly libraryDescription?: string
  /** `2` or `2.6` */
  readonly libraryVersion?: string
  readonly slotManufacturer?: string
  readonly slotDescription?: string
  readonly slotId?: number
  /** CKA_LABEL */
  readonly object?: string
  /** CKA_CLASS */
  readonly type?: keyof typeof OBJECT_CLASS
  /** CKA_ID: octets, as `%01%00` in the URI. */
  readonly id?: Uint8Array
  /** Where the PIN is: `file:/path`, or a path. */
  readonly pinSource?: string
  /** The PIN itself. Whoever sees the URI sees it: prefer `pinSource`. */
  readonly pinValue?: string
  readonly moduleName?: string
  readonly modulePath?: string
  /** Attributes that the RFC does not define, of the path and the query. Nothing here looks at them. */
  readonly vendorPath?: Readonly<Record<string, string>>
  readonly vendorQuery?: Readonly<Record<string, readonly string[]>>
}
