import { execFile } from 'node:child_process'
import { createHmac, type KeyObject, verify } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { evictControl } from '../src/commands.ts'
import { openTpm, openTransport } from '../src/index.ts'
import { hex, loadHmacKey, SECRET } from './helpers.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let swtpm: TestSwtpm
let folder: string
let readme: string
beforeAll(async () => {
  swtpm = await startSwtpm()
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
})
afterAll(async () => {
  await swtpm.stop()
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for the address. */
async function runBlock<T>(index: number): Promise<T> {
  const block = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, block.replaceAll('/dev/tpmrm0', swtpm.address).replaceAll('/etc/hardbound', folder))
  return (await import(file)) as T
}

describe('README', () => {
  it.each([0, 1])('makes the HMAC that is expected, example %i', async (index) => {
    const { tag } = await runBlock<{ tag: Uint8Array }>(index)
    expect(hex(tag)).toBe(createHmac('sha256', SECRET).update('20260822').digest('hex'))
  })

  it('signs', async () => {
    const env = { ...process.env, TPM2OPENSSL_TCTI: swtpm.tpm2ToolsTcti }
    const made = '`openssl genpkey -provider tpm2 -algorithm RSA -out identity.pem`'
    expect(readme).toContain(made)
    const [program = '', ...args] = made.slice(1, -1).split(' ')
    await promisify(execFile)(program, args, { env, cwd: folder })
    const { publicKey, signature } = await runBlock<{ publicKey: KeyObject; signature: Uint8Array }>(2)
    expect(verify('sha256', Buffer.from('header.payload'), publicKey, signature)).toBe(true)
  })

  it('uses a key for another purpose', async () => {
    const tpm = await openTpm({ transport: () => openTransport(swtpm.address) })
    await tpm.exclusively(async (it) => {
      const { key } = await loadHmacKey(it, { userAuth: Buffer.from('correct horse') })
      await evictControl(it, { object: key, persistentHandle: 0x81010001 })
    })
    await tpm.close()
    const { tag } = await runBlock<{ tag: Uint8Array }>(3)
    expect(hex(tag)).toBe(createHmac('sha256', SECRET).update('20260822').digest('hex'))
  })

  it('has every error code', async () => {
    const source = await readFile(here('../src/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
    const rows = [...readme.matchAll(/^\| `(ERR_\w+)` +\|/gm)].map(([, code]) => code)
    expect(codes).toHaveLength(18)
    expect(rows).toEqual(codes)
  })
})
