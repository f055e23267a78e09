import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Pkcs11Addon } from './cryptoki.ts'
import { Pkcs11Error } from './errors.ts'

declare const __filename: string | undefined // there where a bundler has made CommonJS of this, which has no import.meta

/**
 * Loads the package pkcs11js. It is a native addon, and so an optional peer: nothing else here needs it.
 *
 * @param load For tests. Default: `require` from where this file is; `import()` takes longer.
 * @throws {Pkcs11Error} `ERR_PKCS11_ADDON`, which says what to type.
 */
export function loadAddon(load: (name: string) => unknown = requireFromAbove): Pkcs11Addon {
  try {
    return load('pkcs11js') as Pkcs11Addon
  } catch (error) {
    throw new Pkcs11Error('ERR_PKCS11_ADDON', howToInstall(error as NodeJS.ErrnoException), { cause: error })
  }
}

/**
 * Requires a package out of the `node_modules` of a folder above. `require` alone would also look where NODE_PATH says and in the
 * home folder: the PIN is not for what somebody's environment names.
 *
 * @param from File that wants it.
 */
export function requireFromAbove(name: string, from: string = thisFile()): unknown {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    if (basename(folder) !== 'node_modules' && existsSync(found)) return createRequire(from)(found)
    if (folder === dirname(folder)) break
  }
  throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' })
}

const thisFile = (): string => (typeof __filename === 'string' ? __filename : fileURLToPath(import.meta.url))

/** @param execPath Path of the running Node. */
export function howToInstall({ code, message }: NodeJS.ErrnoException, execPath: string = process.execPath): string {
  const absent = code === 'MODULE_NOT_FOUND' && message.includes("'pkcs11js'")
  const what = absent ? 'is not installed' : `is there, but does not load in Node ${process.version} on ${process.arch}`
  const command = absent ? 'npm install pkcs11js@2' : 'npm rebuild pkcs11js'
  const prefix = join(dirname(execPath), '..')
  if (existsSync(join(prefix, 'include', 'node', 'node.h'))) {
    return `the package pkcs11js ${what}. With a C++ compiler, make and python3 there, run: npm_config_nodedir=${prefix} ${command}`
  }
  return (
    `the package pkcs11js ${what}. Install a C++ compiler, make, python3 and the headers of this Node ` +
    `(Debian: apt-get install g++ make python3 libnode-dev; npm fetches the headers itself where it may), then run: ${command}`
  )
}
