import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import * as testkit from '../src/index.ts'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

describe('the package', () => {
  it('exports what other packages use', () => {
    expect(Object.keys(testkit).sort()).toEqual([
      'AwsRefusal',
      'createTestPki',
      'debugClaims',
      'productionClaims',
      'startAws',
      'startConnectProxy',
      'startIssuer',
      'startLauncher',
      'startRelay',
      'startTlsFront',
      'verifySigV4',
    ])
  })

  // ML-DSA is the exception: Node 20 has none, so both ends have it from @noble/post-quantum, which vectors of others test.
  it('shares no code with what it tests', () => {
    for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
      const imports = [...readFileSync(`${SRC}/${file}`, 'utf8').matchAll(/from '([^.'][^']*)'|import '([^']*)'/g)]
      for (const [, from, bare] of imports)
        expect(from ?? bare).toMatch(
          /^(node:|@peculiar\/x509$|@noble\/post-quantum\/|reflect-metadata$|@jest\/globals$)/,
        )
    }
  })
})
