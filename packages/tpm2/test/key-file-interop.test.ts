import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { create, createPrimary, load } from '../src/commands.ts'
import { encodePublic, openTpm, openTransport, type PublicArea, type Tpm } from '../src/index.ts'
import { readKeyFile, writeKeyFile } from '../src/key-file.ts'

const OWNER = 0x40000001
const PROVIDERS = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2']

let swtpm: TestSwtpm
let folder: string
beforeAll(async () => {
  swtpm = await startSwtpm()
  folder = await mkdtemp(join(tmpdir(), 'hardbound-key-file-'))
})
afterAll(async () => {
  await swtpm.stop()
  await rm(folder, { recursive: true })
})

async function openssl(...args: string[]): Promise<string> {
  const env = { ...process.env, TPM2OPENSSL_TCTI: swtpm.tpm2ToolsTcti }
  const { stdout } = await promisify(execFile)('openssl', args, { env, cwd: folder, timeout: 20_000 })
  return stdout
}

/** The TPM while OpenSSL is not connected to it. */
async function withTpm<T>(work: (tpm: Tpm) => Promise<T>): Promise<T> {
  const tpm = await openTpm({ transport: () => openTransport(swtpm.address) })
  try {
    return await tpm.exclusively(work)
  } finally {
    await tpm.close()
  }
}

describe("key files and OpenSSL's tpm2 provider", () => {
  it.each([
    ['EC', 'group:P-256', 'ecc'],
    ['RSA', 'bits:2048', 'rsa'],
  ])('loads its %s key under the H-2 primary', async (algorithm, option, type) => {
    const pem = await openssl('genpkey', ...PROVIDERS, '-algorithm', algorithm, '-pkeyopt', option)
    const file = readKeyFile(pem)
    expect(file).toMatchObject({ type: 'loadable', parent: OWNER, emptyAuth: true })
    const loaded = await withTpm(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      return load(tpm, { parent, private: file.private, public: file.public })
    })
    expect(loaded.public.type).toBe(type)
    expect(Buffer.from(encodePublic(loaded.public))).toEqual(Buffer.from(file.public))
  })

  it('writes a key that it signs with', async () => {
    const template: PublicArea = {
      type: 'ecc',
      nameAlg: 'sha256',
      attributes: ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'sign'],
      authPolicy: new Uint8Array(),
      curve: 'p256',
      x: new Uint8Array(),
      y: new Uint8Array(),
    }
    const made = await withTpm(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      return create(tpm, { parent, template })
    })
    const file = { public: encodePublic(made.public), private: made.private, parent: OWNER, emptyAuth: true }
    await writeFile(join(folder, 'ours.pem'), writeKeyFile({ type: 'loadable', ...file }))
    await writeFile(join(folder, 'message'), 'of example.com')

    await openssl(
      'pkeyutl',
      ...PROVIDERS,
      '-sign',
      '-rawin',
      '-digest',
      'sha256',
      '-inkey',
      'ours.pem',
      '-in',
      'message',
      '-out',
      'signature',
    )
    await writeFile(join(folder, 'ours.pub'), await openssl('pkey', ...PROVIDERS, '-in', 'ours.pem', '-pubout'))
    const verified = await openssl('dgst', '-sha256', '-verify', 'ours.pub', '-signature', 'signature', 'message')
    expect(verified).toContain('Verified OK')
    expect(await readFile(join(folder, 'ours.pub'), 'utf8')).toContain('BEGIN PUBLIC KEY')
  })
})
