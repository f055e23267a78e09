import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

/** What the library reads of a file. */
const MAX_FILE_OCTETS = 1_048_576

/**
 * Which PEM blocks there are in a file, of some: enough to tell what kind of key it has.
 *
 * @returns None for what can't be read: whoever needs it says so.
 */
export function pemLabelsIn<const Label extends string>(path: string, labels: readonly Label[]): readonly Label[] {
  let file: number | undefined
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) // a FIFO would wait for its writer
    const stat = fstatSync(file)
    if (!stat.isFile() || stat.size > MAX_FILE_OCTETS) return []
    const octets = readFileSync(file)
    const found = labels.filter((label) => octets.includes(`-----BEGIN ${label}-----`))
    octets.fill(0)
    return found
  } catch {
    return []
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
