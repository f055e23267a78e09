import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { Tpm2Error } from '../errors.ts'
import { abortedError } from './deadline.ts'
import { EMPTY } from './octets.ts'

/** How long to wait for a connection. */
export interface Within {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** A socket that is read in pieces of a known length. Nothing may arrive that nobody waits for. */
export class OctetStream {
  readonly #socket: Socket
  readonly #description: string
  #buffered: Uint8Array[] = []
  #length = 0
  #ended: Tpm2Error | undefined
  #wake: (() => void) | undefined

  constructor(socket: Socket, description: string) {
    this.#socket = socket
    this.#description = description
    socket.on('data', (chunk) => {
      this.#buffered.push(chunk)
      this.#length += chunk.length
      if (this.#length > MOST_OCTETS) this.#fail(new Tpm2Error('ERR_TPM_RESPONSE', `${description} sends too much`))
      this.#wake?.()
    })
    socket.on('error', (cause) => this.#fail(this.#gone(cause)))
    socket.on('close', () => this.#fail(this.#gone()))
  }

  get isClosed(): boolean {
    return this.#ended !== undefined
  }

  /** @throws {Tpm2Error} `ERR_TPM_RESPONSE` when there is something to read that nobody has asked for. */
  write(octets: Uint8Array): void {
    this.assertNothingLeft()
    if (this.#ended !== undefined) throw this.#ended
    this.#socket.write(octets)
  }

  /** @throws {Tpm2Error} when the stream ends before; or the signal's reason. */
  async read(length: number, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#length < length) await this.#arrived(length, signal)
    const all = this.#buffered.length === 1 ? (this.#buffered[0] ?? EMPTY) : Buffer.concat(this.#buffered)
    this.#buffered = all.length > length ? [all.subarray(length)] : []
    this.#length -= length
    return Uint8Array.prototype.slice.call(all, 0, length)
  }

  async #arrived(length: number, signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#wake?.()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (this.#length < length) {
        if (signal.aborted) throw signal.reason
        if (this.#ended !== undefined) throw this.#ended
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      this.#wake = undefined
      signal.removeEventListener('abort', onAbort)
    }
  }

  assertNothingLeft(): void {
    if (this.#length > 0) throw new Tpm2Error('ERR_TPM_RESPONSE', `${this.#description} sent more than one answer`)
  }

  /** @param last Sent before, if it still can be. */
  close(last?: Uint8Array): void {
    const gone = this.#gone()
    if (last === undefined || this.#ended !== undefined) {
      this.#fail(gone)
    } else {
      this.#ended = gone
      this.#socket.unref().end(last, () => this.#socket.destroy())
    }
  }

  #gone(cause?: unknown): Tpm2Error {
    return new Tpm2Error('ERR_TPM_UNREACHABLE', `${this.#description} has closed the connection`, { cause })
  }

  #fail(error: Tpm2Error): void {
    this.#ended ??= error
    this.#socket.destroy()
    this.#wake?.()
  }
}

/** More than one response can't be under way. */
const MOST_OCTETS = 8192

/**
 * Connects.
 *
 * @throws {Tpm2Error} `ERR_TPM_UNREACHABLE`; `ERR_TPM_DEVICE` without permission; `ERR_TPM_TIMEOUT`; `ERR_TPM_ABORTED`.
 */
export function openStream(
  to: NetConnectOpts,
  description: string,
  { timeoutMs, signal }: Within,
): Promise<OctetStream> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortedError(signal))
      return
    }
    const socket = connect(to)
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.removeAllListeners()
    }
    const end = (error: Error): void => {
      settle()
      socket.on('error', () => {}).destroy()
      reject(error)
    }
    const late = (): void => end(new Tpm2Error('ERR_TPM_TIMEOUT', `${description}: no connection in ${timeoutMs} ms`))
    const onAbort = (): void => end(abortedError(signal))
    const timer = setTimeout(late, timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('connect', () => {
      settle()
      resolve(new OctetStream(socket.setNoDelay(true), description))
    })
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      const denied = cause.code === 'EACCES' || cause.code === 'EPERM'
      end(
        denied
          ? new Tpm2Error('ERR_TPM_DEVICE', `${description}: permission denied`, { cause })
          : new Tpm2Error('ERR_TPM_UNREACHABLE', `${description}: ${cause.code ?? 'can not connect'}`, { cause }),
      )
    })
  })
}
