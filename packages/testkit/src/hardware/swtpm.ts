import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listen } from '../internal/http.ts'
import { toolsTcti } from './tools-tcti.ts'

/** How a software TPM is reached. */
export interface SwtpmOptions {
  /** Default: `unix`. */
  readonly transport?: 'unix' | 'tcp'
  /** Where the seeds and persistent keys of an earlier one are. It is not removed then. Default: a new folder. */
  readonly stateDir?: string
}

/** A running software TPM. It serves one connection at a time; a second one waits. */
export interface TestSwtpm {
  /** `unix:/path` or `swtpm:127.0.0.1:port`. */
  readonly address: string
  /** For the environment variable `TPM2TOOLS_TCTI`, and `TPM2OPENSSL_TCTI`. */
  readonly tpm2ToolsTcti: string
  readonly stateDir: string
  /** Ends it and removes its state. A second call does nothing. */
  stop(): Promise<void>
  /** Ends it in the middle of whatever it does, as a power cut would. Its state stays. */
  kill(): Promise<void>
  /** A power cycle: ends it if it runs, and starts it at the same address with the same state. */
  restart(): Promise<void>
}

const START_MS = 10_000

/** Starts `swtpm` from the Debian package of that name, already started up (TPM2_Startup, clear). */
export async function startSwtpm({ transport = 'unix', stateDir }: SwtpmOptions = {}): Promise<TestSwtpm> {
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-swtpm-'))
  const state = stateDir ?? folder
  const path = join(folder, 'tpm.sock')
  const port = transport === 'tcp' ? await twoFreePorts() : 0
  const where = transport === 'tcp' ? { host: '127.0.0.1', port } : { path }
  const server =
    transport === 'tcp' ? [`type=tcp,port=${port}`, `type=tcp,port=${port + 1}`] : [`type=unixio,path=${path}`]

  let child = await start().catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  async function start(): Promise<ChildProcess> {
    const args = ['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', 'not-need-init,startup-clear']
    args.push('--server', server[0] as string, ...(server[1] ? ['--ctrl', server[1]] : []))
    const started = spawn('swtpm', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const orphan = () => started.kill('SIGKILL')
    process.once('exit', orphan)
    started.once('exit', () => process.off('exit', orphan))
    await untilItAnswers(started, where)
    return started
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  return {
    address: transport === 'tcp' ? `swtpm:127.0.0.1:${port}` : `unix:${path}`,
    tpm2ToolsTcti: transport === 'tcp' ? `swtpm:host=127.0.0.1,port=${port}` : toolsTcti(path),
    stateDir: state,
    async stop() {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGKILL')
      await rm(path, { force: true })
      child = await start()
    },
  }
}

/** It has no way to say that it is ready, and listens before it has looked at its state. */
async function untilItAnswers(
  child: ChildProcess,
  where: { path: string } | { host: string; port: number },
): Promise<void> {
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const gone = once(child, 'exit').then(() => {
    throw new Error(`swtpm ended: ${said.trim()}`)
  })
  gone.catch(() => undefined)
  for (const end = Date.now() + START_MS; Date.now() < end; ) {
    if (await Promise.race([answers(where), gone])) return
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 10)), gone])
  }
  child.kill('SIGKILL')
  throw new Error('swtpm does not listen')
}

/** TPM2_GetTestResult, without sessions (TPM 2.0 Library, part 3, section 10.4). */
const COMMAND = Buffer.from('80010000000a0000017c', 'hex')

function answers(where: { path: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where)
    socket.setTimeout(START_MS, () => socket.destroy())
    socket.once('connect', () => socket.write(COMMAND))
    socket.once('data', () => socket.end(() => resolve(true)))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}

/** tpm2-tss expects the control channel one port above. */
async function twoFreePorts(): Promise<number> {
  for (;;) {
    const first = await listen(createServer())
    const second = await listen(createServer(), { host: '127.0.0.1', port: first.port + 1 }).catch(() => undefined)
    await Promise.all([first.close(), second?.close()])
    if (second) return first.port
  }
}
