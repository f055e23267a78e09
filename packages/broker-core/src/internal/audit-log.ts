import { type ChainHead, GENESIS, readLine } from '../audit-chain.ts'
import { BrokerError } from '../errors.ts'
import type { AuditFile, AuditFileStat, AuditFileSystem } from './audit-file.ts'

/** Octets at the end of a file that hold its last line for sure. */
const TAIL_OCTETS = 1_048_576

/** The file under the audit sink: what is committed is durable, what failed is not in it. */
export interface AuditLog {
  /** Where the chain of the file stood when it was opened. */
  readonly head: ChainHead
  /** Octets of a torn last line that were cut off on opening. */
  readonly cutOctets: number
  /**
   * Appends, and returns when that is durable. What could not be made durable is taken out of the file again, at the
   * latest by the next commit. Calls must not overlap.
   *
   * @throws {BrokerError} `audit_unavailable` with `audit.write`, or `audit.foreign` when somebody else writes there.
   */
  commit(octets: Uint8Array): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the log and cuts off a last line that has no end, as a crash leaves it.
 *
 * @throws {BrokerError} `audit_unavailable` with `audit.open`, or `audit.chain` when the file's end is not ours, or
 *   not intact: somebody must look at it first.
 */
export async function openAuditLog(path: string, files: AuditFileSystem): Promise<AuditLog> {
  let open: { readonly file: AuditFile; readonly id: string } | undefined
  /** The file that `durable` speaks of. */
  let id = ''
  /** Octets of it that are durable and stay. */
  let durable = 0
  /** Whether octets after those are a failed write of ours. */
  let torn = false

  /** Opens the file at the path, which holds the durable octets and nothing else. */
  async function reopen(): Promise<AuditFile> {
    open = await openFile() // never opened, released after a failure, or renamed or deleted by log rotation
    let { size } = await open.file.stat()
    if (open.id !== id) {
      id = open.id
      durable = 0
      torn = false
    }
    if (torn) size = await cut(open.file, size)
    if (size > durable) throw new BrokerError('audit_unavailable', 'audit.foreign')
    durable = size // less: emptied by log rotation ("copytruncate")
    return open.file
  }

  /** @returns false when log rotation took the octets away before they were durable. */
  async function append(octets: Uint8Array): Promise<boolean> {
    const file = open?.file ?? (await reopen())
    torn = true
    for (let done = 0; done < octets.length; ) {
      const taken = await file.write(done === 0 ? octets : octets.subarray(done)) // a filling disk takes a part
      if (taken === 0) throw new Error('the audit file takes no more octets')
      done += taken
    }
    await file.datasync()
    const { size, links } = await whereItIs(file)
    if (links === 0) return false
    if (size === durable + octets.length || size === octets.length) {
      durable = size
      torn = false
      return true
    }
    if (size > durable) {
      torn = false // who knows whose they are
      throw new BrokerError('audit_unavailable', 'audit.foreign')
    }
    durable = 0 // emptied by log rotation in the middle of it
    return false
  }

  /** What became of the file that was written to; one that is no longer at the path is not written to again. */
  async function whereItIs(file: AuditFile): Promise<AuditFileStat> {
    const there = await files.stat(path)
    if (there?.id === id) return there
    const moved = await file.stat()
    await release()
    return moved
  }

  async function openFile() {
    const file = await files.open(path)
    return { file, id: (await file.stat()).id }
  }

  /** @returns the size that is left. */
  async function cut(file: AuditFile, size: number): Promise<number> {
    if (size > durable) await file.truncate(durable)
    torn = false
    return Math.min(size, durable)
  }

  async function release(): Promise<void> {
    const { file } = open ?? {}
    open = undefined
    await file?.close().catch(() => {})
  }

  try {
    open = await openFile()
    const found = await recover(open.file)
    id = open.id
    durable = found.size
    return {
      head: found.head,
      cutOctets: found.cutOctets,
      async commit(octets) {
        try {
          if ((await append(octets)) || (await append(octets))) return
          throw new Error('the audit file is taken away all the time')
        } catch (cause) {
          // The file is opened anew: that a sync failed says nothing about the next one (the kernel forgets).
          if (torn && open !== undefined) await cut(open.file, Number.POSITIVE_INFINITY).catch(() => {})
          await release()
          throw cause instanceof BrokerError ? cause : new BrokerError('audit_unavailable', 'audit.write', { cause })
        }
      },
      close: release,
    }
  } catch (cause) {
    await release()
    throw cause instanceof BrokerError ? cause : new BrokerError('audit_unavailable', 'audit.open', { cause })
  }
}

/** Cuts a torn end, and reads the last line. */
async function recover(file: AuditFile): Promise<{ head: ChainHead; cutOctets: number; size: number }> {
  const { size } = await file.stat()
  const start = Math.max(0, size - TAIL_OCTETS)
  const tail = (await file.read(start, size - start)).toString('latin1')
  const end = tail.lastIndexOf('\n') + 1
  const rest = tail.slice(end)
  const looksLikeOurs = '{"v":1,'.startsWith(rest.slice(0, 7)) || /^\0+$/.test(rest)
  const line = end === 0 ? undefined : tail.slice(tail.lastIndexOf('\n', end - 2) + 1, end - 1)
  const head = line === undefined && start === 0 ? GENESIS : readLine(line ?? '')
  if (!looksLikeOurs || head === undefined) throw new BrokerError('audit_unavailable', 'audit.chain')
  if (rest !== '') await file.truncate(start + end)
  return { head, cutOctets: rest.length, size: start + end }
}
