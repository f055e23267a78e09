import { Pkcs11Error } from './errors.ts'
import { createLender, isPromise, type Work } from './internal/lender.ts'
import { now } from './internal/now.ts'
import { lossOf } from './internal/rv.ts'
import { createSessions, type Sessions } from './internal/sessions.ts'
import type { Patience } from './internal/wait-queue.ts'
import type { TokenInfo } from './list-tokens.ts'
import { type LoadModuleInit, loadModule, type Pkcs11Module } from './load-module.ts'
import type { LoginInit } from './login.ts'
import { parsePkcs11Uri } from './parse-uri.ts'
import { readPinSource } from './pin-source.ts'
import type { Pkcs11Uri } from './uri.ts'

/** Which token to open, how, and what it may cost. */
export interface OpenTokenInit extends Omit<LoadModuleInit, 'modulePath' | 'moduleName'>, LoginInit {
  /** Names module and token, and perhaps where the PIN is. */
  readonly uri: string | Pkcs11Uri
  /** For making and removing objects. Default: false. */
  readonly readWrite?: boolean | undefined
  /**
   * How many calls may be in progress at once. Each may hold one of the four threads that Node also reads files and looks up names
   * with. Default: 2.
   */
  readonly maxSessions?: number | undefined
  /** How many calls may wait. Default: 256. */
  readonly maxWaiting?: number | undefined
  /** Milliseconds that a call may take, waiting included. Default: 5 000. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds between attempts to get back a token that went away. Default: 1 000. */
  readonly reconnectDelayMs?: number | undefined
  /** Milliseconds that the event loop may be blocked by a call. 0: every C_Sign runs on another thread. Default: 1. */
  readonly blockingLimitMs?: number | undefined
}

/** How long one piece of work may take, and what to do if the token is lost in it. */
export interface WithSessionOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. Default: what the token was opened with. */
  readonly timeoutMs?: number | undefined
  /** Do the work once more where session, login or token were lost in it. Default: false. */
  readonly repeat?: boolean | undefined
}

/** An open token. Whatever it loses, it tries to get back when it is next asked. */
export interface Pkcs11Token {
  readonly info: TokenInfo
  /**
   * Lends a session to `work` alone.
   *
   * @throws {Pkcs11Error}, or what the work throws.
   */
  withSession<T>(work: Work<T>, options?: WithSessionOptions): Promise<T>
  /** Waits for calls in progress, gives back sessions and module. A second call does nothing. */
  close(): Promise<void>
}

/**
 * Opens the one token that a URI names and logs in to it.
 *
 * @throws {Pkcs11Error}
 * @throws {TypeError} or {RangeError} on wrong options.
 */
export function openToken(init: OpenTokenInit): Promise<Pkcs11Token> {
  return new Promise((resolve) => resolve(open(init))) // PKCS #11 has nothing to wait for: all of it blocks
}

function open(init: OpenTokenInit): Pkcs11Token {
  const { maxWaiting = 256, timeoutMs = 5_000 } = init
  atLeast(0, { maxWaiting, reconnectDelayMs: init.reconnectDelayMs, blockingLimitMs: init.blockingLimitMs })
  atLeast(1, { timeoutMs, maxSessions: init.maxSessions })
  const { pinValue, ...uri } = typeof init.uri === 'string' ? parsePkcs11Uri(init.uri) : init.uri
  const pin = init.pin ?? pinValue ?? (uri.pinSource === undefined ? undefined : readPinSource(uri.pinSource))
  const { modulePath, moduleName } = uri
  const module = loadModule({ ...init, modulePath, moduleName })
  try {
    return tokenOf(module, createSessions(module, uri, { ...init, pin }), maxWaiting, timeoutMs)
  } catch (error) {
    module.close()
    throw error
  }
}

function tokenOf(module: Pkcs11Module, sessions: Sessions, maxWaiting: number, timeoutMs: number): Pkcs11Token {
  const first = sessions.take() // logs in
  if (first !== undefined) sessions.put(first)
  const lender = createLender(module, sessions, maxWaiting)

  async function withSession<T>(work: Work<T>, options: WithSessionOptions = {}): Promise<T> {
    const { signal, timeoutMs: mine = timeoutMs } = options
    let until: number | undefined // asked for only where there is something to wait for
    const patience = (): Patience => {
      until ??= now() + mine
      return { timeoutMs: until - now(), signal }
    }
    for (let again = options.repeat === true; ; again = false) {
      if (signal?.aborted) throw new Pkcs11Error('ERR_PKCS11_ABORTED', 'aborted before the token was asked')
      try {
        const result = lender.lend(work, patience)
        return isPromise(result) ? await result : result
      } catch (error) {
        if (!again || !(error instanceof Pkcs11Error) || lossOf(error.rv) === 'none') throw error
      }
    }
  }

  let closing: Promise<void> | undefined
  return {
    get info() {
      return sessions.info
    },
    withSession,
    close() {
      closing ??= lender.close(timeoutMs).finally(() => module.close())
      return closing
    },
  }
}

/** What `setTimeout` takes. */
const MAX = 2_147_483_647

function atLeast(least: number, numbers: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined && !(value >= least && value <= MAX)) {
      throw new RangeError(`"${name}" must be ${least} to ${MAX}, got ${value}`)
    }
  }
}
