import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startIssuer, type TestIssuer } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { AUDIENCE, NONCE } from './helpers.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let issuer: TestIssuer
let folder: string
let example: { imageOf(token: string, nonce: string): Promise<string> }

beforeAll(async () => {
  issuer = await startIssuer()
  folder = await mkdtemp(here('./readme-'))
  const readme = await readFile(here('../README.md'), 'utf8')
  const [, block] = /```ts\n([\s\S]*?)```/.exec(readme) as RegExpExecArray
  // The one thing that differs from the text: whose keys these are.
  const code = (block as string).replace(
    '{ url: GOOGLE_JWKS_URL }',
    JSON.stringify({ url: issuer.jwksUrl, ca: issuer.caPem }),
  )
  await writeFile(join(folder, 'example.ts'), code)
  example = (await import(join(folder, 'example.ts'))) as typeof example
})
afterAll(async () => {
  await issuer.close()
  await rm(folder, { recursive: true })
})

describe('README', () => {
  it('runs as it stands there', async () => {
    const token = issuer.token({ audience: AUDIENCE, nonces: [NONCE] })
    expect(await example.imageOf(token, NONCE)).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(await example.imageOf(token, 'another-nonce')).toBe('refused: not made for this connection')
    const debug = issuer.token({ audience: AUDIENCE, nonces: [NONCE], claims: { dbgstat: 'enabled' } })
    expect(await example.imageOf(debug, NONCE)).toBe('refused: claim.dbgstat')
    const pki = issuer.token({ audience: AUDIENCE, nonces: [NONCE], tokenType: 'PKI' })
    expect(await example.imageOf(pki, NONCE)).toBe('refused: pki.root')
  })
})
