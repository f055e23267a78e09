import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const IMPORT = /^(?:import|export) (?!type )(?:[^'"]*? from )?'([^']+)'/gms
const src = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url))

/** As fromRolesAnywhere needs it from its start, it has to be as light. */
const TRANSPORT = src('../../sigv4-hmac/src/transport.ts')

/** What a module loads before anything is called; types and `import()` left out. */
async function loaded(path: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(path)) return seen
  seen.add(path)
  for (const [, specifier = ''] of (await readFile(path, 'utf8')).matchAll(IMPORT)) {
    if (specifier.startsWith('.')) await loaded(join(path, '..', specifier), seen)
    else if (specifier === '@hardbound/sigv4-hmac/transport') await loaded(TRANSPORT, seen)
    else seen.add(specifier)
  }
  return seen
}

describe.each(['index.ts', 'store.ts', 'certificate-data.ts'])('%s', (entry) => {
  it('loads neither network nor packages before they are needed', async () => {
    const modules = [...(await loaded(src(entry)))].filter((it) => !it.startsWith('/'))
    const allowed = ['node:crypto', 'node:fs/promises', 'node:path', 'node:timers/promises', 'node:util']
    expect(modules.filter((it) => !allowed.includes(it))).toEqual([])
    expect(modules).toContain('node:crypto')
  })
})
