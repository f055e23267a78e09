import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Pkcs11Addon } from './cryptoki.ts'
import { Pkcs11Error } from './errors.ts'

/** Not a literal, so that neither compilers nor bundlers want it to be there. */
const PACKAGE: string = 'pkcs11js'

/**
 * Loads the package pkcs11js. It is a native addon, and so an optional peer: nothing else here needs it.
 *
 * @param load For tests. Default: `import()` from where this file is.
 * @throws {Pkcs11Error} `ERR_PKCS11_ADDON`, which says what to type.
 */
export async function loadAddon(
  load: (name: string) => Promise<unknown> = (name) => import(name),
): Promise<Pkcs11Addon> {
  try {
    const { default: addon } = (await load(PACKAGE)) as { default: Pkcs11Addon }
    return addon
  } catch (error) {
    throw new Pkcs11Error('ERR_PKCS11_ADDON', howToInstall(error as NodeJS.ErrnoException), { cause: error })
  }
}

/** @param execPath Path of the running Node. */
export function howToInstall({ code, message }: NodeJS.ErrnoException, execPath: string = process.execPath): string {
  const absent = code?.endsWith('MODULE_NOT_FOUND') === true && message.includes(`'${PACKAGE}'`)
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
