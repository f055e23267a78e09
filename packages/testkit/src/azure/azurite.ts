import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestPki } from '../pki.ts'

const START_MS = 30_000
const STOP_MS = 5_000

/** A running Azurite: the blob service of Microsoft's storage emulator, as a child process. */
export interface TestAzurite {
  /** `https://127.0.0.1:<port>/<account>` */
  readonly blobEndpoint: string
  readonly account: string
  /** base64: for a `StorageSharedKeyCredential` that fills the containers. */
  readonly accountKey: string
  /** The authority of its TLS certificate (127.0.0.1 and localhost), PEM. */
  readonly caPem: string
  /** Where its certificate and key are. The blobs are in memory. */
  readonly folder: string
  /** Ends the process and removes its folder. A second call does nothing. */
  stop(): Promise<void>
}

/**
 * Starts it over HTTPS on a free port of 127.0.0.1, in memory, with one account.
 *
 * Of a bearer token (`--oauth basic`, Azurite 3.35.0) it checks: `nbf` and `exp` by the real clock, that `iat` is there,
 * that `iss` begins with one of Microsoft's (`https://sts.windows.net/`), and that `aud` is storage or the account. It does
 * NOT check the signature, the tenant, or what the identity may do: have `TestEntra.tokenFor` do that.
 *
 * @throws {TypeError} on a name that no storage account can have.
 * @throws {Error} when it does not listen within 30 seconds; nothing is left behind then.
 */
export async function startAzurite({ account = 'hardbounddemo' }: { account?: string } = {}): Promise<TestAzurite> {
  // It would fall back to another account, and say so in a log that nobody reads.
  if (!/^[a-z0-9]{3,24}$/.test(account)) throw new TypeError('"account" must be 3 to 24 of a-z and 0-9')
  const pki = await createTestPki()
  const tls = await pki.issue({ commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] })
  const accountKey = randomBytes(64).toString('base64')
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-azurite-'))
  const cleanUp = () => rm(folder, { recursive: true, force: true })
  let child: ChildProcess | undefined
  try {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await writeFile(cert, tls.certPem)
    await writeFile(key, tls.keyPem, { mode: 0o600 })
    child = launch(folder, ['--cert', cert, '--key', key], `${account}:${accountKey}`)
    const port = await portOf(child)
    const started = child
    return {
      blobEndpoint: `https://127.0.0.1:${port}/${account}`,
      account,
      accountKey,
      caPem: pki.caPem,
      folder,
      async stop() {
        await end(started)
        await cleanUp()
      },
    }
  } catch (error) {
    if (child !== undefined) await end(child)
    await cleanUp()
    throw error
  }
}

function launch(cwd: string, tls: readonly string[], accounts: string): ChildProcess {
  const main = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js')
  const fixed = ['--blobHost', '127.0.0.1', '--blobPort', '0', '--oauth', 'basic', '--inMemoryPersistence']
  const flags = ['--disableTelemetry', '--skipApiVersionCheck', '--disableProductStyleUrl', '--silent']
  const child = spawn(process.execPath, [main, ...fixed, ...flags, ...tls], {
    cwd,
    // Nothing else: AZURITE_DB would have it use a database, NODE_OPTIONS are those of a test runner.
    env: { PATH: process.env.PATH, AZURITE_ACCOUNTS: accounts },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const orphan = () => {
    child.kill('SIGKILL')
    rmSync(cwd, { recursive: true, force: true })
  }
  process.once('exit', orphan)
  child.once('close', () => process.off('exit', orphan))
  return child
}

/** It says where it listens; its output is read on, as it would stop at a full pipe. */
function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    const late = setTimeout(() => reject(new Error('Azurite does not listen')), START_MS)
    const hear = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096)
      const [, port] = /successfully listens on https:\/\/127\.0\.0\.1:(\d+)\s/.exec(said) ?? []
      if (port !== undefined) settle(() => resolve(Number(port)))
    }
    const settle = (then: () => void) => {
      clearTimeout(late)
      then()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('error', (error) => settle(() => reject(error)))
    child.once('exit', () => settle(() => reject(new Error(`Azurite ended: ${said.trim()}`))))
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(late)
}
