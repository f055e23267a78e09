import { setTimeout as sleep } from 'node:timers/promises'
import { type ChainHead, encodeRecord, sealLine } from './audit-chain.ts'
import { BrokerError } from './errors.ts'
import { type AuditFileSystem, nodeAuditFileSystem } from './internal/audit-file.ts'
import { openAuditLog } from './internal/audit-log.ts'
import type { AuditRecord, AuditSink } from './types.ts'

export type { AuditFile, AuditFileStat, AuditFileSystem } from './internal/audit-file.ts'

export interface FileAuditSinkInit {
  /** A regular file, on a local file system; made where there is none. One broker writes to it. */
  readonly path: string
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly clock?: () => number
  /** Milliseconds until an append that isn't durable fails. Default: 2000. */
  readonly appendTimeoutMs?: number
  /** Appends that may wait for the disk; further ones fail at once. Default: 1000. */
  readonly maxQueue?: number
  /** Octets of a line; longer values are cut, and say so. Default: 8192, at least 1024. */
  readonly maxRecordBytes?: number
  /** Permissions of a new file. Default: `0o600`. */
  readonly mode?: number
  /** The file system. Default: that of `node:fs`. */
  readonly files?: AuditFileSystem
}

/** Milliseconds between two tries to write again, where nothing but {@link AuditSink.ready} is asked for. */
const PROBE_INTERVAL_MS = 1000

interface Waiting {
  readonly timeMs: number
  readonly members: string
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Opens an audit log of JSON lines in a hash chain: see {@link ChainHead} for its format, and `verifyAuditFile`.
 *
 * Appends that arrive while the disk is busy share the next `fdatasync`. A record that could not be made durable is
 * taken out of the file again. A torn end left by a crash is cut, and a `recovered` record says so. Log rotation may
 * rename or delete the file at any time; the next file continues the chain. (`copytruncate` works too, but what is
 * written between its two steps is lost by it.) While not ready, each call of `ready()` tries to write a `recovered`
 * record, at most once a second.
 *
 * `append` rejects with a {@link BrokerError} `audit_unavailable`: `audit.write`, `audit.foreign`, `audit.timeout`,
 * `audit.queue`, `audit.closed`.
 *
 * @throws {BrokerError} `audit_unavailable` with `audit.open`, or `audit.chain` when the file's end is not intact.
 * @throws {RangeError} for a limit that isn't a positive integer.
 */
export async function createFileAuditSink(init: FileAuditSinkInit): Promise<AuditSink> {
  const { path, clock = Date.now, appendTimeoutMs = 2000, maxQueue = 1000, maxRecordBytes = 8192, mode = 0o600 } = init
  for (const [name, value] of Object.entries({ appendTimeoutMs, maxQueue })) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`"${name}" must be a positive integer`)
  }
  if (!(maxRecordBytes >= 1024 && maxRecordBytes <= 65_536))
    throw new RangeError('"maxRecordBytes" must be 1024 to 65536')
  const log = await openAuditLog(path, init.files ?? nodeAuditFileSystem(mode))
  let head: ChainHead = log.head
  const waiting = new Set<Waiting>()
  let draining: Promise<void> | undefined
  let healthy = true
  let closed = false
  let probedAt = 0

  async function drain(): Promise<void> {
    await Promise.resolve() // callers of the same turn share the first batch too
    while (waiting.size > 0) {
      const batch = [...waiting]
      waiting.clear()
      await commit(batch)
    }
    draining = undefined
  }

  async function commit(batch: readonly Waiting[]): Promise<void> {
    let next = head
    let text = ''
    for (const { timeMs, members } of batch) {
      const sealed = sealLine(next, timeMs, members)
      next = sealed.head
      text += `${sealed.line}\n`
    }
    try {
      await log.commit(Buffer.from(text, 'latin1'))
      head = next
      healthy = true
      for (const { timer, resolve } of batch) {
        clearTimeout(timer)
        resolve()
      }
    } catch (error) {
      healthy = false
      for (const { timer, reject } of batch) {
        clearTimeout(timer)
        reject(error as Error)
      }
    }
  }

  async function append(record: AuditRecord): Promise<void> {
    if (closed) throw new BrokerError('audit_unavailable', 'audit.closed')
    if (waiting.size >= maxQueue) throw new BrokerError('audit_unavailable', 'audit.queue')
    const members = encodeRecord(record, maxRecordBytes)
    await new Promise<void>((resolve, reject) => {
      const onTimeout = () => {
        healthy = false
        waiting.delete(entry)
        reject(new BrokerError('audit_unavailable', 'audit.timeout'))
      }
      const entry = { timeMs: clock(), members, resolve, reject, timer: setTimeout(onTimeout, appendTimeoutMs) }
      waiting.add(entry)
      draining ??= drain()
    })
  }

  async function close(): Promise<void> {
    closed = true
    const closing = Promise.resolve(draining).then(() => log.close())
    const late = new AbortController()
    const giveUp = sleep(appendTimeoutMs, undefined, { signal: late.signal }).catch(() => {})
    await Promise.race([closing, giveUp]) // the disk may hang
    late.abort()
  }

  if (log.cutOctets > 0) {
    await append({ event: 'recovered', cut_octets: log.cutOctets }).catch(async (error: unknown) => {
      await close()
      throw error
    })
  }
  return {
    append,
    ready() {
      const now = clock()
      if (!healthy && !closed && waiting.size === 0 && now - probedAt >= PROBE_INTERVAL_MS) {
        probedAt = now
        append({ event: 'recovered' }).catch(() => {})
      }
      return healthy
    },
    close,
  }
}
