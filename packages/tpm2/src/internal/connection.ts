import { setTimeout as sleep } from 'node:timers/promises'
import { Tpm2Error } from '../errors.ts'
import { HANDLE_TYPE, handleType } from '../handles.ts'
import type { CallOptions, Tpm, TpmCommand, TpmResponse } from '../tpm.ts'
import type { TpmTransport } from '../transport.ts'
import { shapeOf } from './command-table.ts'
import { withinTime } from './deadline.ts'
import { EMPTY, hexHandle, wipe } from './octets.ts'
import { type PreparedCommand, prepareCommand } from './prepare-command.ts'
import { errorOf } from './response-code.ts'
import { flushStale } from './stale-handles.ts'

/** How patient to be. */
export interface Patience {
  readonly commandTimeoutMs: number
  readonly maxRetries: number
}

/** Commands that make keys get this long at least, in milliseconds. */
const SLOW_TIMEOUT_MS = 120_000
/** Pauses before retries, in milliseconds: doubling up to a limit, and in all no longer than the last of these. */
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS, ALL_PAUSES_MS] = [5, 250, 2_000] as const

/** For whom a command runs, and whether that is over. */
export interface Owner {
  readonly ended: boolean
}

/** What was made here and is not flushed yet. */
interface Made {
  readonly owner: Owner | undefined
  readonly secrets: readonly Uint8Array[] | undefined
}

type Accepted = { readonly handle: number; readonly parameters: Uint8Array }

/**
 * One connection to a TPM, for one command at a time; whoever uses it takes care of that. Knows which transient objects
 * and sessions live on it. Once it has failed in a way after which answers could belong to other commands, it is broken
 * for good.
 */
export class Connection implements Tpm {
  readonly connection: number
  /** By handle. */
  readonly #live = new Map<number, Made>()
  readonly #transport: TpmTransport
  readonly #patience: Patience
  /** One for all commands, as the first that is too late is the last. */
  readonly #tooLate = new AbortController()
  #broken: Tpm2Error | undefined
  #isMakingRoom = false

  constructor(transport: TpmTransport, number: number, patience: Patience) {
    this.#transport = transport
    this.connection = number
    this.#patience = patience
  }

  get description(): string {
    return this.#transport.description
  }

  get isBroken(): boolean {
    return this.#broken !== undefined || this.#transport.isClosed === true
  }

  /** Runs one command, and notes for whom what it makes is. */
  async execute(command: TpmCommand, options?: CallOptions, owner?: Owner): Promise<TpmResponse> {
    this.#assertUsable(command)
    const prepared = prepareCommand(command)
    try {
      const accepted = await this.#exchange(
        command,
        prepared,
        () => options?.signal?.aborted === true || owner?.ended === true,
      )
      await this.#note(command, accepted.handle, owner, options?.signal)
      return { ...accepted, connection: this.connection }
    } finally {
      wipe(prepared.bytes)
    }
  }

  /** Flushes what was made for somebody, newest first. Never throws: what can't be reached any more has gone. */
  async flushAllOf(owner: Owner): Promise<void> {
    const handles = [...this.#live].filter(([, made]) => made.owner === owner).map(([handle]) => handle)
    for (const handle of handles.reverse()) {
      if (!this.isBroken) await this.#flush(handle)
      this.#forget(handle)
    }
  }

  async exclusively<T>(work: (tpm: Tpm) => Promise<T>): Promise<T> {
    return work(this)
  }

  async close(): Promise<void> {
    this.#broken ??= new Tpm2Error('ERR_TPM_CLOSED', 'the TPM was closed')
    await this.#transport.close()
  }

  /** Sends until there is an answer that is not "later". */
  async #exchange({ command }: TpmCommand, prepared: PreparedCommand, isOver: () => boolean): Promise<Accepted> {
    let [retries, pause, paused, flushed] = [0, FIRST_PAUSE_MS as number, 0, false]
    for (;;) {
      const answer = await this.#send(command, prepared)
      if (!('rc' in answer)) return answer
      const error = errorOf(command, answer.rc)
      if (error.code === 'ERR_TPM_SLOTS' && !flushed && !this.#isMakingRoom && !this.#transport.hasResourceManager) {
        flushed = true
        if ((await this.#makeRoom()) > 0) continue
      }
      if (error.code !== 'ERR_TPM_BUSY' || retries >= this.#patience.maxRetries || paused + pause > ALL_PAUSES_MS) {
        throw error
      }
      await sleep(pause)
      if (isOver()) throw error // nobody waits for it any more
      retries++
      paused += pause
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    }
  }

  /** Sends commands itself, and those must not make room once more: a TPM may say to everything that it has none. */
  async #makeRoom(): Promise<number> {
    this.#isMakingRoom = true
    try {
      return await flushStale(this, new Set(this.#live.keys()), this.#patience.commandTimeoutMs)
    } finally {
      this.#isMakingRoom = false
    }
  }

  async #send(
    command: TpmCommand['command'],
    prepared: PreparedCommand,
  ): Promise<ReturnType<PreparedCommand['accept']>> {
    const { commandTimeoutMs } = this.#patience
    const timeoutMs = shapeOf(command).slow ? Math.max(commandTimeoutMs, SLOW_TIMEOUT_MS) : commandTimeoutMs
    try {
      const sent = (signal: AbortSignal): Promise<Uint8Array> => this.#transport.transmit(prepared.bytes, { signal })
      return prepared.accept(await withinTime(timeoutMs, command, sent, this.#tooLate))
    } catch (error) {
      // An answer may still come, or the session may have moved on without us: no later command can be sure of its own.
      this.#broken =
        error instanceof Tpm2Error
          ? error
          : new Tpm2Error('ERR_TPM_UNREACHABLE', `${this.description} failed during ${command}`, { cause: error })
      void this.#transport.close()
      throw this.#broken
    }
  }

  async #note(
    { command, handles, secrets }: TpmCommand,
    made: number,
    owner: Owner | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const shape = shapeOf(command)
    const [first] = handles
    if (shape.flushes && typeof first === 'object') this.#forget(first.handle)
    if (shape.makes === undefined) return
    this.#live.set(made, { owner, secrets })
    if (signal?.aborted) await this.#flush(made) // nobody is there any more who would
  }

  #forget(handle: number): void {
    wipe(...(this.#live.get(handle)?.secrets ?? []))
    this.#live.delete(handle)
  }

  async #flush(handle: number): Promise<void> {
    const what = { handle, name: EMPTY }
    await this.execute({ command: 'TPM2_FlushContext', handles: [what], parameters: EMPTY }).catch(() => {})
  }

  #assertUsable({ command, handles, auths = [], sessions = [] }: TpmCommand): void {
    if (this.#broken?.code === 'ERR_TPM_CLOSED') throw this.#broken
    if (this.#broken !== undefined) {
      const message = `${command}: the connection to ${this.description} is broken`
      throw new Tpm2Error('ERR_TPM_UNREACHABLE', message, { cause: this.#broken })
    }
    const used = [
      ...handles.filter((it) => typeof it === 'object' && handleType(it.handle) === HANDLE_TYPE.transient),
      ...auths.map((auth) => (auth !== undefined && 'session' in auth ? auth.session : auth)),
      ...sessions,
    ]
    for (const it of used) {
      const on = typeof it === 'object' && 'connection' in it ? it.connection : undefined
      if (on !== undefined && on !== this.connection) {
        throw new Tpm2Error(
          'ERR_TPM_CLOSED',
          `${command}: ${hexHandle(handleOf(it))} was of a connection that has gone`,
        )
      }
    }
  }
}

function handleOf(it: object | number | undefined): number {
  return typeof it === 'object' && 'handle' in it && typeof it.handle === 'number' ? it.handle : 0
}
