import { existsSync } from 'node:fs'
import { Pkcs11Error } from './errors.ts'

/** Debian's names of architectures, by Node's. */
const TRIPLETS: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
  ia32: 'i386-linux-gnu',
  ppc64: 'powerpc64le-linux-gnu',
  s390x: 's390x-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
}
const LIBRARIES = [`/usr/lib/${TRIPLETS[process.arch] ?? ''}`, '/usr/lib64', '/usr/lib', '/usr/local/lib']
const FOLDERS = LIBRARIES.flatMap((it) => [it, `${it}/pkcs11`, `${it}/softhsm`])
const NAME = /^[\w.+-]{1,64}$/

/**
 * Finds the module to load where a URI has no `module-path`: by its `module-name`, or p11-kit's proxy, which stands for every
 * module that this machine is configured for (`p11-kit list-modules`).
 *
 * @param name Without `lib` and `.so`.
 * @throws {Pkcs11Error} `ERR_PKCS11_MODULE` where it is not installed.
 */
export function defaultModulePath(name = 'p11-kit-proxy', folders: readonly string[] = FOLDERS): string {
  if (!NAME.test(name)) throw new TypeError('"module-name" must be the plain name of a file')
  const files = folders.flatMap((folder) => [`${folder}/${name}.so`, `${folder}/lib${name}.so`])
  const found = files.find((file) => existsSync(file))
  if (found !== undefined) return found
  throw new Pkcs11Error(
    'ERR_PKCS11_MODULE',
    `no module "${name}" was found here. Name your token's with module-path, or install p11-kit (Debian: apt-get install p11-kit-modules)`,
  )
}
