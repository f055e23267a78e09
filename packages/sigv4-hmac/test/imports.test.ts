import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const IMPORT = /^(?:import|export) (?!type )(?:[^'"]*? from )?'([^']+)'/gms

/** What a module loads before anything is called; types and `import()` left out. */
async function loaded(path: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(path)) return seen
  seen.add(path)
  for (const [, specifier = ''] of (await readFile(path, 'utf8')).matchAll(IMPORT)) {
    if (specifier.startsWith('.')) await loaded(join(path, '..', specifier), seen)
    else seen.add(specifier)
  }
  return seen
}

describe.each(['index.ts', 'backend.ts', 'sts.ts', 'transport.ts'])('%s', (entry) => {
  it('loads neither network nor packages before they are needed', async () => {
    const modules = await loaded(fileURLToPath(new URL(`../src/${entry}`, import.meta.url)))
    const others = [...modules].filter((it) => !it.startsWith('/'))
    expect(others.filter((it) => !['node:crypto', 'node:timers/promises'].includes(it))).toEqual([])
    if (entry !== 'backend.ts') expect(others).toContain('node:crypto')
  })
})
