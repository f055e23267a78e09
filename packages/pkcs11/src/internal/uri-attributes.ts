import type { Pkcs11Uri } from '../uri.ts'

export type Field = Exclude<keyof Pkcs11Uri, 'vendorPath' | 'vendorQuery'>

/** Attributes of the path, in the order in which they are written. */
export const PATH_FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ['token', 'token'],
  ['manufacturer', 'manufacturer'],
  ['serial', 'serial'],
  ['model', 'model'],
  ['library-manufacturer', 'libraryManufacturer'],
  ['library-description', 'libraryDescription'],
  ['library-version', 'libraryVersion'],
  ['slot-manufacturer', 'slotManufacturer'],
  ['slot-description', 'slotDescription'],
  ['slot-id', 'slotId'],
  ['object', 'object'],
  ['type', 'type'],
  ['id', 'id'],
])

export const QUERY_FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ['module-name', 'moduleName'],
  ['module-path', 'modulePath'],
  ['pin-source', 'pinSource'],
  ['pin-value', 'pinValue'],
])

/** What may stand for itself: `pk11-pchar` and `pk11-qchar`, RFC 7512, section 2.3. */
export const PATH_PLAIN = /[A-Za-z0-9\-._~:[\]@!$'()*+,=&]/
export const QUERY_PLAIN = /[A-Za-z0-9\-._~:[\]@!$'()*+,=/?|]/

/** What is written as it is: less than may be, so that shells leave a URI in double quotes alone. */
export const PATH_WRITTEN = /[A-Za-z0-9\-._~:@+,=]/
export const QUERY_WRITTEN = /[A-Za-z0-9\-._~:@+,=/]/
