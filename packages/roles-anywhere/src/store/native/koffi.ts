import { RolesAnywhereError } from '../../errors.ts'

/** An address, as koffi gives it. */
export type Pointer = unknown

/** A function of a library. */
export interface NativeFunction {
  (...given: readonly unknown[]): unknown
  /** On another thread; the last argument is the callback. */
  readonly async: (...given: readonly unknown[]) => void
}

/** The part of the package koffi that is used here: calls into libraries of the system. */
export interface Koffi {
  load(path: string): {
    func(name: string, result: unknown, parameters: readonly unknown[]): NativeFunction
    /** Address of a variable. */
    symbol(name: string, type: unknown): Pointer
  }
  struct(fields: Readonly<Record<string, unknown>>): unknown
  pointer(type: unknown): unknown
  /** Of a parameter that is filled: the caller gives an array of one. */
  out(type: unknown): unknown
  array(type: unknown, length: number, hint: 'Typed'): unknown
  decode(address: Pointer, type: unknown): unknown
}

const PACKAGE = 'koffi' // optional: it is not to be looked for when this is compiled

/** @throws {RolesAnywhereError} `ERR_RA_STORE` where the package is not there. */
export async function loadKoffi(): Promise<Koffi> {
  try {
    const { default: koffi } = (await import(PACKAGE)) as { default: Koffi }
    return koffi
  } catch (cause) {
    const why = "the certificate store of this system needs the package koffi, which can't be loaded: npm install koffi"
    throw new RolesAnywhereError('ERR_RA_STORE', why, { cause })
  }
}

/** Calls on another thread, as whoever holds the key may ask a person first. */
export function callAsync(call: NativeFunction, ...given: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call.async(...given, (error: Error | null, result: unknown) => {
      if (error === null) resolve(result)
      else reject(error)
    })
  })
}
