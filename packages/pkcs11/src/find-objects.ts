import type { Attribute, Handle } from './cryptoki.ts'
import { Pkcs11Error } from './errors.ts'
import { CKA, OBJECT_CLASS } from './internal/ck.ts'
import { call } from './internal/native-error.ts'
import { assertLoggedIn } from './login.ts'
import { attribute } from './objects.ts'
import type { Pkcs11Session } from './session.ts'
import type { Pkcs11Uri } from './uri.ts'

const MAX_OBJECTS = 256

/** What to look for: the URI's own words for an object. */
export type ObjectSearch = { readonly [Name in 'object' | 'id' | 'type']?: Pkcs11Uri[Name] | undefined }

/**
 * Finds the objects with this label, id and class, as far as the session may see them.
 *
 * @returns At most 256 handles.
 * @throws {Pkcs11Error}
 */
export function findObjects({ cryptoki, handle }: Pkcs11Session, { object, id, type }: ObjectSearch): Handle[] {
  const template: Attribute[] = []
  if (type !== undefined) template.push({ type: CKA.CLASS, value: OBJECT_CLASS[type] })
  if (object !== undefined) template.push({ type: CKA.LABEL, value: object })
  if (id !== undefined) template.push({ type: CKA.ID, value: Buffer.from(id) })
  call('C_FindObjectsInit', () => cryptoki.C_FindObjectsInit(handle, template))
  const found: Handle[] = []
  try {
    while (found.length < MAX_OBJECTS) {
      const more = call('C_FindObjects', () => cryptoki.C_FindObjects(handle, MAX_OBJECTS - found.length))
      if (more.length === 0) break
      found.push(...more)
    }
  } finally {
    call('C_FindObjectsFinal', () => cryptoki.C_FindObjectsFinal(handle))
  }
  return found
}

/**
 * Finds the one object that matches.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_OBJECT` where none does, or several do.
 */
export function findObject(session: Pkcs11Session, search: ObjectSearch): Handle {
  const found = findObjects(session, search)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  // Private objects can't be seen when the token is gone, or has forgotten who we are: then there is nothing to be said of them.
  if (only === undefined) assertLoggedIn(session, 'looking for an object')
  const { object, id, type = 'object' } = search
  const asked = [
    ...(object === undefined ? [] : [`label ${JSON.stringify(object)}`]),
    ...(id === undefined ? [] : [`id ${Buffer.from(id).toString('hex')}`]),
  ]
  const what = `${type} with ${asked.length === 0 ? 'any name' : asked.join(' and ')}`
  throw new Pkcs11Error(
    'ERR_PKCS11_OBJECT',
    found.length === 0 ? `no ${what}` : `${found.length} objects are a ${what}: ids ${idsOf(session, found)}`,
  )
}

const MAX_NAMED = 8

/** What to tell objects of one name apart by. */
function idsOf(session: Pkcs11Session, objects: readonly Handle[]): string {
  const ids = objects.slice(0, MAX_NAMED).map((it) => attribute(session, it, CKA.ID)?.toString('hex') || '(none)')
  return ids.join(', ') + (objects.length > MAX_NAMED ? ', …' : '')
}
