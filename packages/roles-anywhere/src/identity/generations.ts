import { createHash } from 'node:crypto'
import { RolesAnywhereError } from '../errors.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { closedError, untilAborted } from './closed.ts'
import { type FileSnapshot, readWholeFile, stampOfFile } from './read-file.ts'

/** File systems stamp changes by the tick: a file that was just changed may change again and not look it. */
const SETTLED_MS = 2_000
const MAX_READS = 4

/** What is made of files that belong together. */
export interface GenerationsInit<T> {
  readonly files: readonly string[]
  /** Makes one generation. The octets are wiped after it. */
  load(files: ReadonlyMap<string, FileSnapshot>): Promise<T>
  /** Stands for what else generations are made of, and is another one when that has changed. Default: nothing else. */
  elsewhere?(): Promise<string>
  /** Gives back what a generation holds. That before the present one may be in use still. */
  release(generation: T): void | Promise<void>
  readonly onWarning?: OnRolesAnywhereWarning | undefined
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number
  /** Default: {@link readWholeFile}. */
  readonly read?: (path: string) => Promise<FileSnapshot>
}

/** The present generation of files that others replace while we run. */
export interface Generations<T> {
  current(signal?: AbortSignal): Promise<T>
  close(): Promise<void>
}

interface Good<T> {
  readonly value: T
  readonly stamps: string
  readonly elsewhere: string
  readonly digest: string
  /** What the stamps say can be relied on. */
  readonly settled: boolean
}

/**
 * Reads files again when they have changed, all of them at one moment. What can't be loaded is left alone, as somebody may be in the
 * middle of replacing it: the generation before is given until the next call finds one that can.
 */
export function createGenerations<T>(init: GenerationsInit<T>): Generations<T> {
  const files = [...new Set(init.files)]
  const { now = Date.now, read = readWholeFile } = init
  let good: Good<T> | undefined
  let previous: T | undefined
  let flight: Promise<T> | undefined
  let closed = false
  let warned: string | undefined

  async function refresh(): Promise<T> {
    const before = good
    const next = await reload(before).catch((error: unknown) => {
      if (before === undefined || closed) throw error
      warn(error)
      return before
    })
    if (before !== undefined && next.value !== before.value) {
      if (previous !== undefined) await init.release(previous)
      previous = before.value
    }
    good = next // also when closed meanwhile: close() gives it back
    if (closed) throw closedError()
    return next.value
  }

  async function reload(before: Good<T> | undefined): Promise<Good<T>> {
    const elsewhere = (await init.elsewhere?.()) ?? ''
    const unchanged = before?.elsewhere === elsewhere
    if (unchanged && before.settled && (await stampsNow(files)) === before.stamps) return before
    const startedMs = now()
    const together = await readTogether(files, read)
    try {
      const digest = digestOf(together)
      const stamps = together.map(({ stamp }) => stamp).join()
      const settled = together.every(({ changedMs }) => changedMs < startedMs - SETTLED_MS)
      const same = unchanged && before.digest === digest
      const value = same ? before.value : await init.load(new Map(together.map((it) => [it.path, it])))
      warned = undefined
      return { value, stamps, elsewhere, digest, settled }
    } finally {
      for (const { octets } of together) octets.fill(0)
    }
  }

  function warn(error: unknown): void {
    const why = error instanceof Error ? error.message : 'it can not be read'
    if (why === warned) return
    warned = why
    init.onWarning?.({
      code: 'WARN_RA_RELOAD',
      message: `the identity of before is used, as that of now can't be: ${why}`,
    })
  }

  return {
    async current(signal) {
      if (closed) throw closedError()
      return untilAborted(() => {
        flight ??= refresh().finally(() => {
          flight = undefined
        })
        return flight
      }, signal)
    },
    async close() {
      if (closed) return
      closed = true
      await flight?.catch(() => undefined)
      if (previous !== undefined) await init.release(previous)
      if (good !== undefined) await init.release(good.value)
      good = undefined
      previous = undefined
    },
  }
}

/** Reads until nothing has changed between the first file and the last. */
async function readTogether(
  paths: readonly string[],
  read: (path: string) => Promise<FileSnapshot>,
): Promise<FileSnapshot[]> {
  for (let reads = 0; reads < MAX_READS; reads++) {
    const files: FileSnapshot[] = []
    let together = false
    try {
      for (const path of paths) files.push(await read(path))
      together = files.map(({ stamp }) => stamp).join() === (await stampsNow(paths))
      if (together) return files
    } finally {
      if (!together) for (const { octets } of files) octets.fill(0)
    }
  }
  throw new RolesAnywhereError('ERR_RA_FILE', `${paths.join(', ')}: changed each time they were read`)
}

const stampsNow = async (paths: readonly string[]): Promise<string> =>
  (await Promise.all(paths.map(stampOfFile))).join()

function digestOf(files: readonly FileSnapshot[]): string {
  const hash = createHash('sha256')
  for (const { octets } of files) hash.update(`${octets.length}:`).update(octets)
  return hash.digest('base64')
}
