import { endianness } from 'node:os'
import type { Handle } from './cryptoki.ts'
import { call, fromNative } from './internal/native-error.ts'
import { CKR } from './internal/rv.ts'
import type { Pkcs11Session } from './session.ts'

/** Reads one attribute; undefined where the object has none of that type, or keeps it secret. */
export function attribute({ cryptoki, handle }: Pkcs11Session, object: Handle, type: number): Buffer | undefined {
  try {
    const [read] = cryptoki.C_GetAttributeValue(handle, object, [{ type }])
    return Buffer.isBuffer(read?.value) ? read.value : undefined
  } catch (error) {
    const mine = fromNative('C_GetAttributeValue', error)
    if (mine.rv === CKR.ATTRIBUTE_TYPE_INVALID || mine.rv === CKR.ATTRIBUTE_SENSITIVE) return undefined
    throw mine
  }
}

/** A CK_BBOOL; undefined where it isn't there or isn't one. */
export function booleanAttribute(session: Pkcs11Session, object: Handle, type: number): boolean | undefined {
  const value = attribute(session, object, type)
  return value?.length === 1 ? value[0] !== 0 : undefined
}

/** A CK_ULONG; undefined where it isn't there or isn't one. */
export function numberAttribute(session: Pkcs11Session, object: Handle, type: number): number | undefined {
  const value = attribute(session, object, type)
  if (value?.length !== 4 && value?.length !== 8) return undefined
  return endianness() === 'LE' ? value.readUIntLE(0, 4) : value.readUIntBE(value.length - 4, 4)
}

/** Makes an object. @throws {Pkcs11Error} */
export function createObject(
  session: Pkcs11Session,
  template: { type: number; value: number | boolean | string | Buffer }[],
): Handle {
  return call('C_CreateObject', () => session.cryptoki.C_CreateObject(session.handle, template))
}

/** Removes an object. @throws {Pkcs11Error} */
export function destroyObject(session: Pkcs11Session, object: Handle): void {
  call('C_DestroyObject', () => session.cryptoki.C_DestroyObject(session.handle, object))
}
