import { constants, type Stats } from 'node:fs'
import { type FileHandle, open, realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Tpm2Error } from '../errors.ts'
import type { TpmTransport } from '../transport.ts'
import { abortedError } from './deadline.ts'
import { MAX_RESPONSE_OCTETS } from './frame.ts'
import type { Within } from './octet-stream.ts'

/**
 * A character device of Linux: each write is a command, and the read after it gives the whole response.
 *
 * Both block in a thread of libuv's pool until the TPM is ready; nothing can call them back. When the signal fires, the
 * descriptor is closed as soon as they have returned.
 */
export async function openDevice(path: string, { signal }: Within): Promise<TpmTransport> {
  if (signal?.aborted) throw abortedError(signal)
  const handle = await openCharacterDevice(path)
  let closing: Promise<void> | undefined
  let busy = false
  const close = (): Promise<void> => {
    closing ??= handle.close().catch(() => {})
    // It comes to its end when the thread does, and nobody can wait for that.
    return busy ? Promise.resolve() : closing
  }
  return {
    description: path,
    hasResourceManager: /^tpmrm\d+$/.test(basename(await realpath(path).catch(() => path))),
    get isClosed() {
      return closing !== undefined
    },
    transmit: async (command, { signal }) => {
      const onAbort = (): void => void close()
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        busy = true
        return await transmit(handle, command)
      } catch (cause) {
        if (signal.aborted) throw signal.reason
        throw deviceError(path, cause)
      } finally {
        busy = false
        signal.removeEventListener('abort', onAbort)
      }
    },
    close,
  }
}

async function openCharacterDevice(path: string): Promise<FileHandle> {
  try {
    // Looked at first, as opening a FIFO would wait for its other end; and again, as that was another moment.
    assertDevice(path, await stat(path))
    const handle = await open(path, constants.O_RDWR | constants.O_NOCTTY)
    try {
      assertDevice(path, await handle.stat())
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  } catch (cause) {
    throw deviceError(path, cause)
  }
}

function assertDevice(path: string, stats: Stats): void {
  if (!stats.isCharacterDevice()) throw new Tpm2Error('ERR_TPM_DEVICE', `${path} is not a character device`)
}

/** The driver takes a command in one write, and gives its response in one read. */
async function transmit(handle: FileHandle, command: Uint8Array): Promise<Uint8Array> {
  const { bytesWritten } = await handle.write(command)
  if (bytesWritten !== command.length) throw new Tpm2Error('ERR_TPM_UNREACHABLE', 'the device took half a command')
  const { bytesRead, buffer } = await handle.read(new Uint8Array(MAX_RESPONSE_OCTETS), 0, MAX_RESPONSE_OCTETS, null)
  return buffer.slice(0, bytesRead)
}

const UNUSABLE: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EBUSY: 'another program has it open',
}

function deviceError(path: string, cause: unknown): Tpm2Error {
  if (cause instanceof Tpm2Error) return cause
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'it failed'
  const why = UNUSABLE[code]
  if (why !== undefined) return new Tpm2Error('ERR_TPM_DEVICE', `${path}: ${why}`, { cause })
  return new Tpm2Error('ERR_TPM_UNREACHABLE', `${path}: ${code}`, { cause })
}
