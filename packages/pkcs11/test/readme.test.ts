import { constants, createHmac, verify } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Pkcs11Token } from '../src/index.ts'
import type { Pkcs11SigningKey } from '../src/signing-key.ts'
import { KEY } from './helpers.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let softHsm: TestSoftHsm
let folder: string
let readme: string
beforeAll(async () => {
  softHsm = await createSoftHsm({ tokenLabel: 'hsm', keys: [{ label: 'key', value: KEY }] })
  await softHsm.tool('--keypairgen', '--key-type', 'rsa:2048', '--id', '01', '--label', 'client', '--usage-sign')
  softHsm.activate()
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
})
afterAll(async () => {
  await softHsm.remove()
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for serial number and paths. */
async function runBlock<T>(index: number): Promise<T> {
  const code = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
    [index]![1]!.replace('serial=1234', `serial=${softHsm.serial}`)
    .replace('/usr/lib/softhsm/libsofthsm2.so', softHsm.modulePath)
    .replace('/etc/hardbound/pin', softHsm.pinFile)
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

/** Fields of an interface in a source file. */
async function fieldsOf(file: string, name: string): Promise<string[]> {
  const source = await readFile(here(`../src/${file}.ts`), 'utf8')
  const [, body] = new RegExp(`export interface ${name}[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(source)!
  return [...body!.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field]) => field!)
}

describe('README', () => {
  it('signs', async () => {
    type Block = { token: Pkcs11Token; hmac(message: Uint8Array): Promise<Uint8Array> }
    const { token, hmac } = await runBlock<Block>(0)
    expect(await hmac(Buffer.from('a'))).toEqual(createHmac('sha256', KEY).update('a').digest())
    await token.close()
  })

  it('lists', async () => {
    const { uris } = await runBlock<{ uris: string[] }>(1)
    expect(uris).toContain(`pkcs11:token=hsm;serial=${softHsm.serial}`)
  })

  it('signs with a private key', async () => {
    type Block = { key: Pkcs11SigningKey; signed(message: Uint8Array): Promise<Uint8Array>; certificate: unknown }
    const { key, signed, certificate } = await runBlock<Block>(2)
    const how = { key: key.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    expect(verify('sha256', Buffer.from('a'), how, await signed(Buffer.from('a')))).toBe(true)
    expect(certificate).toBeUndefined()
    await key.close()
  })

  it('names every option of a signing key', async () => {
    const [, section] = /## A private key, for signing\n([\s\S]*?)\n## /.exec(readme)!
    for (const name of await fieldsOf('open-signing-key', 'OpenPkcs11SigningKeyInit')) expect(section).toContain(name)
  })

  it('has every error code', async () => {
    const source = await readFile(here('../src/errors.ts'), 'utf8')
    const codes = [...source.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
    expect([...readme.matchAll(/^- `(ERR_\w+)`:/gm)].map(([, code]) => code)).toEqual(codes)
  })

  it('has every option', async () => {
    const options = [
      ...(await fieldsOf('open-token', 'OpenTokenInit')),
      ...(await fieldsOf('login', 'LoginInit')),
      ...(await fieldsOf('load-module', 'LoadModuleInit')).filter((it) => !it.startsWith('module')),
    ]
    const [, table] = /## Options of `openToken`\n([\s\S]*?)\n## /.exec(readme)!
    expect([...table!.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name).sort()).toEqual(options.sort())
  })
})
