import { createHmac, randomBytes } from 'node:crypto'
import type { Cryptoki } from '../cryptoki.ts'
import type { Pkcs11Error } from '../errors.ts'

type TokenNames = Omit<ReturnType<Cryptoki['C_GetTokenInfo']>, 'flags' | 'maxSessionCount'>

/** Whether a PIN once did not get in to a token, for as long as the process lives. */
export interface PinLatch {
  readonly closed: boolean
  close(): void
  open(): void
}

const SECRET = randomBytes(32) // so that what is kept tells nothing of the PIN
const closed = new Set<string>()
const tries = new WeakSet<Pkcs11Error>()

/** Tells a PIN by its hash, and a token by all its names: two modules may lead to the same one. */
export function latchOf({ label, manufacturerID, model, serialNumber }: TokenNames, pin: string): PinLatch {
  const what = JSON.stringify([label, manufacturerID, model, serialNumber, pin])
  const key = createHmac('sha256', SECRET).update(what).digest('base64')
  return {
    get closed() {
      return closed.has(key)
    },
    close: () => closed.add(key),
    open: () => closed.delete(key),
  }
}

/** Marks the error of a C_Login that may have cost the token one of its tries. */
export const noteTry = (error: Pkcs11Error): unknown => tries.add(error)

export const wasTried = (error: Pkcs11Error): boolean => tries.has(error)
