import { Tpm2Error } from '../errors.ts'
import type { CallOptions, Tpm, TpmCommand, TpmResponse } from '../tpm.ts'
import type { Connection, Owner } from './connection.ts'
import { abortedError, orAborted } from './deadline.ts'
import { FifoLock } from './fifo-lock.ts'
import { wipe } from './octets.ts'

/**
 * A `Tpm` for one piece of work: commands queue up, and what they made is flushed when the work has ended. The outermost
 * one, from `openTpm`, gets its connection anew when it broke; all others keep theirs.
 */
export class Scope implements Tpm, Owner {
  readonly description: string
  readonly #connect: () => Promise<Connection>
  readonly #lock = new FifoLock()
  #current: Connection
  ended = false

  constructor(current: Connection, connect: () => Promise<Connection> = () => Promise.resolve(current)) {
    this.description = current.description
    this.#current = current
    this.#connect = connect
  }

  get connection(): number {
    return this.#current.connection
  }

  async execute(command: TpmCommand, options: CallOptions = {}): Promise<TpmResponse> {
    try {
      return await this.#queued(options, (connection) => connection.execute(command, options, this))
    } finally {
      wipe(command.parameters) // it may never have been sent
    }
  }

  exclusively<T>(work: (tpm: Tpm) => Promise<T>, options: CallOptions = {}): Promise<T> {
    return this.#queued(options, async (connection) => {
      const scope = new Scope(connection)
      try {
        return await orAborted(options.signal, work(scope))
      } finally {
        await scope.close()
      }
    })
  }

  /** Lets the command that runs come to its end, refuses all others, and flushes. */
  async close(): Promise<void> {
    if (this.ended) return
    this.ended = true
    await this.#lock.run(() => this.#current.flushAllOf(this))
  }

  /** A turn in the queue. Whoever stops waiting leaves at once; the turn itself lasts until the TPM is free again. */
  #queued<T>({ signal }: CallOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
    const turn = this.#lock.run(async () => {
      if (signal?.aborted) throw abortedError(signal)
      if (this.ended) throw new Tpm2Error('ERR_TPM_CLOSED', `${this.description} was closed`)
      this.#current = await this.#connect()
      return work(this.#current)
    })
    return orAborted(signal, turn)
  }
}
