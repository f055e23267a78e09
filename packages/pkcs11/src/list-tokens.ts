import type { Handle } from './cryptoki.ts'
import { CKF } from './internal/ck.ts'
import { call } from './internal/native-error.ts'
import type { Pkcs11Module } from './load-module.ts'
import { type PinState, pinStateOf } from './login.ts'

/** A token and the slot it is in, in the words of RFC 7512. Padding is cut off. */
export interface TokenInfo {
  readonly token: string
  readonly manufacturer: string
  readonly model: string
  readonly serial: string
  readonly slotDescription: string
  readonly slotManufacturer: string
  readonly slotId: number
  readonly libraryManufacturer: string
  readonly libraryDescription: string
  readonly libraryVersion: string
  readonly pin: PinState
  /** How many sessions one process may have; Infinity where it is not said. */
  readonly maxSessions: number
  /** For the calls that want a slot. */
  readonly slot: Handle
}

/**
 * Lists the initialised tokens that are there. Logs in nowhere. A slot that can't be asked is left out.
 *
 * @throws {Pkcs11Error}
 */
export function listTokens({ cryptoki }: Pkcs11Module): TokenInfo[] {
  const library = call('C_GetInfo', () => cryptoki.C_GetInfo())
  const tokens: TokenInfo[] = []
  for (const slot of call('C_GetSlotList', () => cryptoki.C_GetSlotList(true))) {
    try {
      const token = cryptoki.C_GetTokenInfo(slot)
      if ((token.flags & CKF.TOKEN_INITIALIZED) === 0) continue
      const { slotDescription, manufacturerID } = cryptoki.C_GetSlotInfo(slot)
      tokens.push({
        token: unpadded(token.label),
        manufacturer: unpadded(token.manufacturerID),
        model: unpadded(token.model),
        serial: unpadded(token.serialNumber),
        slotDescription: unpadded(slotDescription),
        slotManufacturer: unpadded(manufacturerID),
        slotId: slotNumber(slot),
        libraryManufacturer: unpadded(library.manufacturerID),
        libraryDescription: unpadded(library.libraryDescription),
        libraryVersion: `${library.libraryVersion.major}.${library.libraryVersion.minor}`,
        pin: pinStateOf(token.flags),
        maxSessions: sessions(token.maxSessionCount),
        slot,
      })
    } catch {
      // Its token was taken out just now, or does not answer: there is none to use.
    }
  }
  return tokens
}

export const unpadded = (text: string): string => text.replace(/[ \0]+$/, '')

/** 0 is CK_EFFECTIVELY_INFINITE, all ones CK_UNAVAILABLE_INFORMATION. */
const sessions = (count: number): number => (count === 0 || count >= 0xffff_ffff ? Number.POSITIVE_INFINITY : count)

/** A CK_SLOT_ID, as it lies in memory. */
function slotNumber(slot: Handle): number {
  return Number(BigInt(`0x${Buffer.from(slot).reverse().toString('hex')}`))
}
