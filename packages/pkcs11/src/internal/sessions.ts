import { Pkcs11Error } from '../errors.ts'
import { findToken } from '../find-token.ts'
import { type TokenInfo, unpadded } from '../list-tokens.ts'
import type { Pkcs11Module } from '../load-module.ts'
import { assertLoggedIn, type LoginInit, login } from '../login.ts'
import type { Pkcs11Session } from '../session.ts'
import type { Pkcs11Uri } from '../uri.ts'
import { CKF } from './ck.ts'
import { call } from './native-error.ts'
import { now } from './now.ts'
import { createPace } from './pace.ts'
import { wasTried } from './pin-latch.ts'
import { CKR, type Loss } from './rv.ts'

export interface SessionsInit extends LoginInit {
  readonly readWrite?: boolean | undefined
  readonly maxSessions?: number | undefined
  readonly reconnectDelayMs?: number | undefined
  readonly blockingLimitMs?: number | undefined
}

/** The sessions with one token. Nothing here waits: PKCS #11 has no calls for opening that could. */
export interface Sessions {
  readonly info: TokenInfo
  /** An idle session, or a new one; undefined where as many as may be are in use. @throws {Pkcs11Error} */
  take(): Pkcs11Session | undefined
  put(session: Pkcs11Session): void
  /** Closes a session, and with it whatever else was lost. */
  drop(session: Pkcs11Session, loss: Loss): void
  close(): void
}

/** @throws {Pkcs11Error} where the token is not there, or does not let us in. */
export function createSessions(module: Pkcs11Module, uri: Pkcs11Uri, init: SessionsInit): Sessions {
  const { cryptoki } = module
  const { maxSessions = 2, reconnectDelayMs = 1_000, pin: given, ...how } = init
  /** Octets can be wiped; a string would be kept until `close` and longer. */
  const pin = given === undefined ? undefined : Buffer.from(given)
  const flags = CKF.SERIAL_SESSION | (how.readWrite === true ? CKF.RW_SESSION : 0)
  const pace = createPace(how.blockingLimitMs ?? 1)
  const idle: Pkcs11Session[] = []
  const epochs = new WeakMap<Pkcs11Session, number>()
  let busy = 0
  let generation = 0
  let epoch = module.epoch
  let info = findToken(module, uri)
  /** Whatever else is found later by the same label is a stranger, and gets no PIN. */
  const { serial, manufacturer, model } = info
  const same = { ...uri, serial, manufacturer, model }
  let limit = Math.min(maxSessions, info.maxSessions)
  let state: 'new' | 'ready' | 'lost' = 'new'
  /**
   * What ended all attempts: a PIN is tried once, and not again whatever happens. A token that only was not asked, as it is on its
   * last try, may be asked once an operator has put that right.
   */
  let latched: Pkcs11Error | undefined
  let failure: { readonly error: Pkcs11Error; readonly at: number } | undefined

  function take(): Pkcs11Session | undefined {
    if (module.epoch !== epoch && state === 'ready') lose()
    const ready = idle.pop()
    if (ready === undefined && busy >= limit) return undefined
    const session = ready ?? opened()
    if (session !== undefined) busy += 1
    return session
  }

  function opened(): Pkcs11Session | undefined {
    if (latched !== undefined) throw latched
    if (failure !== undefined && now() - failure.at < reconnectDelayMs) throw failure.error
    try {
      if (state === 'lost') find()
      const session = open()
      failure = undefined
      return session
    } catch (error) {
      const mine = error as Pkcs11Error
      if (mine.rv === CKR.SESSION_COUNT && busy > 0) {
        limit = busy // others use the rest: make do with what we have
        return undefined
      }
      if (wasTried(mine)) latched = mine
      else if (state === 'ready') lose()
      if (state === 'lost') failure = { error: mine, at: now() }
      throw mine
    }
  }

  function open(): Pkcs11Session {
    const handle = call('C_OpenSession', () => cryptoki.C_OpenSession(info.slot, flags))
    try {
      assertSame()
      if (state !== 'ready') logIn(handle)
      else assertLoggedIn({ cryptoki, slot: info.slot, handle }, 'C_OpenSession') // with the others; or the token was out
    } catch (error) {
      closeQuietly(handle)
      throw error
    }
    state = 'ready'
    const session = { cryptoki, slot: info.slot, handle, generation, pace, loginFor }
    epochs.set(session, epoch)
    return session

    function loginFor(begin: () => void): void {
      if (latched !== undefined) throw latched
      try {
        assertSame()
        logIn(handle, begin)
      } catch (error) {
        if (error instanceof Pkcs11Error && wasTried(error)) latched = error
        throw error
      }
    }
  }

  function logIn(handle: Pkcs11Session['handle'], begin?: () => void): void {
    login(cryptoki, info.slot, handle, { ...how, pin: pin?.toString() }, begin)
  }

  /** There may be another token in the slot by now. */
  function assertSame(): void {
    const { serialNumber, manufacturerID, model } = call('C_GetTokenInfo', () => cryptoki.C_GetTokenInfo(info.slot))
    const names = [serialNumber, manufacturerID, model].map(unpadded)
    if (names.every((name, at) => name === [info.serial, info.manufacturer, info.model][at])) return
    throw new Pkcs11Error('ERR_PKCS11_TOKEN_ABSENT', `another token than "${info.token}" is in its slot`)
  }

  /** The slot may have another number now; some modules see a token that came back only when they are started again. */
  function find(): void {
    try {
      info = findToken(module, same)
    } catch (error) {
      if (!module.restart()) throw error
      info = findToken(module, same)
    }
    epoch = module.epoch
    limit = Math.min(maxSessions, info.maxSessions)
  }

  function lose(): void {
    state = 'lost'
    forget()
  }

  /** No object handle from before is to be trusted, nor a session with it. */
  function forget(): void {
    generation += 1
    for (const { handle } of idle.splice(0)) closeQuietly(handle)
  }

  function closeQuietly(handle: Pkcs11Session['handle']): void {
    if (module.epoch !== epoch) return // the module was started again: that number may be another session now
    try {
      cryptoki.C_CloseSession(handle)
    } catch {
      // It is gone already.
    }
  }

  function drop(session: Pkcs11Session, loss: Loss): void {
    busy -= 1
    if (epochs.get(session) === epoch) closeQuietly(session.handle)
    const current = session.generation === generation
    if (current && loss !== 'none') forget()
    // With its last session a process is logged out (PKCS #11 v2.40, section 5.6, C_CloseSession).
    if ((current && loss === 'token') || busy + idle.length === 0) lose()
  }

  return {
    get info() {
      return info
    },
    take,
    put(session) {
      if (session.generation !== generation) return drop(session, 'none')
      busy -= 1
      idle.push(session)
    },
    drop,
    close() {
      lose()
      latched ??= new Pkcs11Error('ERR_PKCS11_CLOSED', 'the token was closed') // no PIN is given any more, least of all a wiped one
      pin?.fill(0)
    },
  }
}
