import { closeSync, lstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, relative, sep } from 'node:path'
import { Pkcs11Error } from './errors.ts'
import { ELF_HEADER, whatIsWrongWithElf } from './internal/elf.ts'

/** Where modules may be without being named: folders that packages are installed to. */
export const DEFAULT_MODULE_FOLDERS: readonly string[] = [
  '/usr/lib',
  '/usr/lib64',
  '/usr/local/lib',
  '/usr/local/lib64',
  '/opt',
]

/**
 * Makes sure that a file may be loaded into this process as a PKCS #11 module: it is, with all links followed, in one of the
 * allowed places; neither it nor any folder above it may be written by others than root and us; it is a shared library for this machine.
 *
 * @param allowed Absolute paths of folders or of single files.
 * @returns the real path: that is what to load.
 * @throws {Pkcs11Error} `ERR_PKCS11_MODULE`
 * @throws {TypeError} where an allowed place is relative.
 */
export function checkModulePath(path: string, allowed: readonly string[] = DEFAULT_MODULE_FOLDERS): string {
  // What a relative one allows would depend on where the program was started.
  if (!allowed.every((it) => isAbsolute(it))) throw new TypeError('"allowedModules" must be absolute paths')
  if (!isAbsolute(path) || path.includes('\0')) throw refused(path, 'is not an absolute path')
  const real = realPathOf(path)
  const places = allowed.map(existing).filter((it) => it !== undefined)
  if (!places.some((it) => isInside(real, it))) {
    throw refused(path, `is really ${real}, which is in none of the allowed places: ${allowed.join(', ')}`)
  }
  if (!statSync(real).isFile()) throw refused(path, 'is not a regular file')
  for (let at = real; ; at = dirname(at)) {
    const { mode, uid } = lstatSync(at)
    const sticky = at !== real && (mode & 0o1000) !== 0 // as /tmp: others can add there, and not replace what is ours
    if ((mode & 0o022) !== 0 && !sticky) throw refused(path, `can be replaced by others: ${at} is writable for them`)
    if (uid !== 0 && uid !== process.getuid?.()) {
      throw refused(path, `can be replaced by others: ${at} belongs to another user`)
    }
    if (at === dirname(at)) break
  }
  const wrong = whatIsWrongWithElf(firstOctets(real))
  if (wrong !== undefined) throw refused(path, wrong)
  return real
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw refused(path, `can't be found (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
}

function existing(place: string): string | undefined {
  try {
    return realpathSync(place)
  } catch {
    return undefined
  }
}

function isInside(path: string, place: string): boolean {
  const way = relative(place, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

function firstOctets(path: string): Buffer {
  const descriptor = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(ELF_HEADER)
    return buffer.subarray(0, readSync(descriptor, buffer, 0, ELF_HEADER, 0))
  } finally {
    closeSync(descriptor)
  }
}

const refused = (path: string, why: string): Pkcs11Error =>
  new Pkcs11Error('ERR_PKCS11_MODULE', `the PKCS #11 module ${JSON.stringify(path)} is not loaded: it ${why}`)
