import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SOURCE = fileURLToPath(new URL('../../fixtures/slow-pkcs11.c', import.meta.url))

/** A PKCS #11 module that passes everything on to another one, but takes its time to sign. */
export interface TestSlowModule {
  readonly modulePath: string
  /** The folder that it is in, for lists of allowed modules. */
  readonly folder: string
  remove(): Promise<void>
}

/** Compiles one, with the C compiler that pkcs11js was built with. */
export async function createSlowModule(real: { modulePath: string; signMs: number }): Promise<TestSlowModule> {
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-module-'))
  const modulePath = join(folder, 'slow.so')
  const defines = [`-DREAL="${real.modulePath}"`, `-DSIGN_MS=${real.signMs}`]
  await run('cc', ['-shared', '-fPIC', '-O1', '-w', ...defines, '-o', modulePath, SOURCE, '-ldl'])
  return { modulePath, folder, remove: () => rm(folder, { recursive: true, force: true }) }
}
