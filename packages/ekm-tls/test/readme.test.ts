import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:https'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startIssuer, startLauncher, type TestIssuer, type TestLauncher, type TestPki } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { closeServer, listen, newPki, startServer, type TestServer } from './helpers.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

let pki: TestPki
let broker: TestServer
let issuer: TestIssuer
let launcher: TestLauncher
let folder: string
let readme: string

beforeAll(async () => {
  ;[pki, issuer] = await Promise.all([newPki(), startIssuer()])
  launcher = await startLauncher({ issuer })
  broker = await startServer(pki, { answer: () => ({ body: '{"Version":1}' }) })
  folder = await mkdtemp(here('./readme-'))
  readme = await readFile(here('../README.md'), 'utf8')
  await writeFile(join(folder, 'ca.pem'), pki.caPem)
})
afterAll(async () => {
  await Promise.all([broker, launcher, issuer].map((it) => it.close()))
  await rm(folder, { recursive: true })
})

/** Runs a block of the README as it stands there, but for host names and paths. */
async function runBlock<T>(index: number, port = 0): Promise<T> {
  const block = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)][index]![1]!
  const code = block
    .replace("url: 'https://broker.example.com'", `url: 'https://broker.example.com', address: '127.0.0.1:${port}'`)
    .replace('/etc/hardbound/broker-ca.pem', join(folder, 'ca.pem'))
    .replace('confidentialSpaceLauncher()', `confidentialSpaceLauncher({ socketPath: '${launcher.socketPath}' })`)
  const file = join(folder, `example-${index}.ts`)
  await writeFile(file, code)
  return (await import(file)) as T
}

describe('README', () => {
  it('binds a request to its connection, at both ends', async () => {
    const { createBoundServer } = await runBlock<{ createBoundServer(tls: object): Server }>(0)
    const { certPem, keyPem } = await pki.issue({ commonName: 'broker', dns: ['broker.example.com'] })
    const server = createBoundServer({ cert: certPem, key: keyPem })
    const port = await listen(server)
    const { ask } = await runBlock<{ ask(text: string): Promise<number> }>(1, port)
    await expect(ask('{"target":"aws"}')).resolves.toBe(200)
    server.prependListener('request', (request) => {
      request.headers['x-nonce'] = 'x'.repeat(43)
    })
    await expect(ask('{"target":"aws"}')).resolves.toBe(401)
    await closeServer(server)
  })

  it('asks a broker with an attestation of the launcher', async () => {
    const { answer } = await runBlock<{ answer: object }>(2, broker.port)
    expect(answer).toEqual({ Version: 1 })
    expect(JSON.parse(broker.requests.at(-1)!.body)).toHaveProperty('attestation')
    expect(launcher.requests.length).toBe(1)
  })

  it('has every error code', async () => {
    const sources = await Promise.all(
      ['../src/errors.ts', '../src/client-errors.ts'].map((it) => readFile(here(it), 'utf8')),
    )
    const codes = sources.flatMap((it) => [...it.matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code))
    expect(codes.length).toBeGreaterThan(0)
    expect([...readme.matchAll(/^- `(ERR_\w+)`:/gm)].map(([, code]) => code)).toEqual(codes)
  })

  it('has every option', async () => {
    const source = await readFile(here('../src/connect.ts'), 'utf8')
    const [, fields] = /export interface EkmConnectInit \{([\s\S]*?)\n\}/.exec(source)!
    const options = [...fields!.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name)
    const rows = [...readme.matchAll(/^\| ((?:`\w+`(?:, )?)+) +\|/gm)].flatMap(([, names]) =>
      names!.split(', ').map((it) => it.slice(1, -1)),
    )
    expect(rows.sort()).toEqual(options.sort())
  })
})
