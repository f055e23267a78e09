import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_MODULE_FOLDERS, loadAddon, Pkcs11Error } from '@hardbound/pkcs11'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, problem, absent } = findingsOf('pkcs11')
const MODULE = /(pkcs11|softhsm|cryptoki|ykcs|cknfast).*\.so$/i
const MAX_LISTED = 20

/**
 * PKCS #11: the addon, modules and the tokens in them. To load a module is to run its code: that is done with p11-kit's and those
 * that were named, others are listed only.
 */
export async function pkcs11Check({ options, isolate }: DoctorContext): Promise<Finding[]> {
  const listed = await listModules()
  const missing = missingAddon(options.modules.length > 0)
  if (missing !== undefined) return [missing, ...listed]
  const probes = await Promise.all([
    isolate('pkcs11-module', {}),
    ...options.modules.map((path) => isolate('pkcs11-module', { path })),
  ])
  return [...probes.flat(), ...listed]
}

function missingAddon(isWanted: boolean): Finding | undefined {
  try {
    loadAddon()
    return undefined
  } catch (error) {
    if (!(error instanceof Pkcs11Error)) throw error
    const { cause } = error
    const isAbsent = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND' && !isWanted
    const [what = '', ...how] = error.message.split('. ')
    return isAbsent ? absent(`${what}: no commands with tokens here`, how.join('. ')) : problem(what, how.join('. '))
  }
}

/** Where packages install modules; no further down than that. */
async function listModules(): Promise<Finding[]> {
  const below = async (folder: string): Promise<string[]> =>
    (await readdir(folder, { withFileTypes: true }).catch(() => []))
      .filter((it) => it.isDirectory())
      .map(({ name }) => join(folder, name))
  const folders = (
    await Promise.all(
      DEFAULT_MODULE_FOLDERS.map(async (root) => {
        if (root === '/opt') return (await below(root)).flatMap((it) => [it, join(it, 'lib'), join(it, 'lib64')])
        const triplets = (await below(root)).filter((it) => /-linux-/.test(it))
        return [root, ...triplets].flatMap((it) => [it, join(it, 'pkcs11'), join(it, 'softhsm')])
      }),
    )
  ).flat()
  const files = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder).catch(() => [])).filter((name) => MODULE.test(name)).map((name) => join(folder, name)),
    ),
  )
  const found = files.flat().sort()
  if (found.length === 0) return []
  const more = found.length > MAX_LISTED ? ` and ${found.length - MAX_LISTED} more` : ''
  return [
    ok(
      `modules that are installed (not loaded here; --module <path> loads one): ${found.slice(0, MAX_LISTED).join(', ')}${more}`,
    ),
  ]
}
