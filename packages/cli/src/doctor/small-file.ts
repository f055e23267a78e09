import { constants, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { fileProblem } from '../input.ts'

const MAX_BYTES = 1024 * 1024

/**
 * Reads a file of at most 1 MiB; nothing that would wait, such as a FIFO.
 *
 * @returns its text; or, to follow its name, what is wrong.
 */
export async function readSmallFile(
  path: string,
): Promise<{ text: string; stats: Stats } | { wrong: string; code: string }> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stats = await file.stat()
      if (!stats.isFile()) return { wrong: 'is not a regular file', code: 'EINVAL' }
      if (stats.size > MAX_BYTES) return { wrong: 'is larger than 1 MiB', code: 'EFBIG' }
      const octets = Buffer.alloc(stats.size)
      await file.read(octets, 0, stats.size, 0)
      return { text: octets.toString('utf8'), stats }
    } finally {
      await file.close()
    }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    return { wrong: fileProblem(cause), code }
  }
}

/** `0644` */
export const modeOf = ({ mode }: Pick<Stats, 'mode'>): string => (mode & 0o7777).toString(8).padStart(4, '0')
