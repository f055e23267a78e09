import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { runInThisContext } from 'node:vm'

const run = promisify(execFile)
const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
]

/** A key, as `pkcs11-tool --write-object` puts it there. SoftHSM takes no HMAC key under 32 octets. */
export interface SoftHsmKey {
  readonly label: string
  /** Hexadecimal. Default: none. */
  readonly id?: string
  readonly value: Uint8Array
  /** Default: true. */
  readonly sensitive?: boolean
  /** Default: false. */
  readonly extractable?: boolean
}

export interface SoftHsmOptions {
  /** Default: `hardbound`. */
  readonly tokenLabel?: string
  /** Default: `1234`. */
  readonly pin?: string
  /** Generic secrets to put in. */
  readonly keys?: readonly SoftHsmKey[]
}

/** A software token in a folder of its own. */
export interface TestSoftHsm {
  readonly modulePath: string
  /** For child processes. In this one: {@link TestSoftHsm.activate}. */
  readonly env: { readonly SOFTHSM2_CONF: string }
  readonly folder: string
  readonly tokenLabel: string
  readonly serial: string
  readonly pin: string
  readonly soPin: string
  /** A file with mode 0600 that holds the PIN. */
  readonly pinFile: string
  /** `pkcs11:token=…;object=…?module-path=…&pin-source=file:…` */
  uri(object?: string): string
  writeKey(key: SoftHsmKey): Promise<void>
  /** Runs `pkcs11-tool` on this token, logged in, and returns its standard output. */
  tool(...args: string[]): Promise<string>
  /** Makes a further token. */
  addToken(label: string): Promise<void>
  /** Has modules that are started in this process from now on see these tokens. */
  activate(): void
  /** Takes the tokens out, as if they were pulled. */
  removeToken(): Promise<void>
  restoreToken(): Promise<void>
  /** Ends it all. */
  remove(): Promise<void>
}

/** Makes a token with SoftHSM from Debian's softhsm2 (and pkcs11-tool from opensc). */
export async function createSoftHsm(options: SoftHsmOptions = {}): Promise<TestSoftHsm> {
  const { tokenLabel = 'hardbound', pin = '1234', keys = [] } = options
  const soPin = '5678'
  const modulePath = await firstThere(MODULES)
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-softhsm-'))
  const tokens = join(folder, 'tokens')
  const away = join(folder, 'away')
  await Promise.all([mkdir(tokens), mkdir(away)])
  const conf = join(folder, 'softhsm2.conf')
  await writeFile(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`)
  const pinFile = join(folder, 'pin')
  await writeFile(pinFile, `${pin}\n`, { mode: 0o600 })
  const env = { SOFTHSM2_CONF: conf }
  const started = { env: { ...process.env, ...env } }

  const addToken = async (label: string): Promise<void> => {
    const pins = ['--pin', pin, '--so-pin', soPin]
    await run('softhsm2-util', ['--init-token', '--free', '--label', label, ...pins], started)
  }
  const tool = async (...args: string[]): Promise<string> => {
    const token = ['--module', modulePath, '--token-label', tokenLabel, '--login', '--pin', pin]
    return (await run('pkcs11-tool', [...token, ...args], started)).stdout
  }
  const move = async (from: string, to: string): Promise<void> => {
    for (const name of await readdir(from)) await rename(join(from, name), join(to, name))
  }
  const softHsm: TestSoftHsm = {
    modulePath,
    env,
    folder,
    tokenLabel,
    serial: '',
    pin,
    soPin,
    pinFile,
    uri(object) {
      const path = `token=${encodeURIComponent(tokenLabel)}${object === undefined ? '' : `;object=${encodeURIComponent(object)}`}`
      return `pkcs11:${path}?module-path=${modulePath}&pin-source=file:${pinFile}`
    },
    async writeKey({ label, id, value, sensitive = true, extractable = false }) {
      const file = join(folder, 'value')
      await writeFile(file, value, { mode: 0o600 })
      const names = ['--label', label, ...(id === undefined ? [] : ['--id', id])]
      const flags = [...(sensitive ? ['--sensitive'] : []), ...(extractable ? ['--extractable'] : [])]
      // Without --key-type it is a generic secret; OpenSC 0.23 knows no name for that here.
      await tool('--write-object', file, '--type', 'secrkey', '--private', '--usage-sign', ...names, ...flags)
      await rm(file)
    },
    tool,
    addToken,
    activate: () => setRealEnv('SOFTHSM2_CONF', conf),
    removeToken: () => move(tokens, away),
    restoreToken: () => move(away, tokens),
    async remove() {
      await rm(folder, { recursive: true, force: true })
    },
  }
  await addToken(tokenLabel)
  for (const key of keys) await softHsm.writeKey(key)
  const { stdout } = await run('softhsm2-util', ['--show-slots'], started)
  const serial = /Serial number:\s+(\w+)/.exec(stdout)?.[1] ?? ''
  return { ...softHsm, serial }
}

async function firstThere(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const found = await access(path).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  throw new Error('SoftHSM is not installed: apt-get install softhsm2 opensc')
}

/** Jest gives tests a copy of `process.env`; native code reads the real one. */
function setRealEnv(name: string, value: string): void {
  const { env } = runInThisContext('process') as NodeJS.Process
  env[name] = value
}
