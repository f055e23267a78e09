import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startSwtpm, startTpmProxy, type TestSwtpm, type TestTpmProxy } from '@hardbound/testkit/hardware'

/** AWS's documented example key. */
export const SECRET = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
export const PASSWORD = Buffer.from('correct horse')
export const WRONG = Buffer.from('wrong horse')

/** TPM_CC, Part 2 §6.5.2 */
export const CC = {
  createPrimary: 0x131,
  create: 0x153,
  hmac: 0x155,
  load: 0x157,
  evictControl: 0x120,
  pcrRead: 0x17e,
  sequenceUpdate: 0x15c,
  startAuthSession: 0x176,
  policyOr: 0x171,
  policyPcr: 0x17f,
} as const

/** A TPM behind a proxy, and tpm2-tools that speak to it. */
export interface Lab {
  readonly swtpm: TestSwtpm
  readonly proxy: TestTpmProxy
  /** For files of the tools, which run in it. */
  readonly folder: string
  /** Runs one of the tools, and makes room after it, as a resource manager would. */
  tool(name: string, ...args: string[]): Promise<string>
  /** The same without making room. */
  bareTool(name: string, ...args: string[]): Promise<string>
  /** TPM_PT_LOCKOUT_COUNTER */
  lockoutCounter(): Promise<number>
  /** What is loaded: objects, sessions. */
  loaded(): Promise<string>
  close(): Promise<void>
}

export async function startLab(): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-lab-'))
  const swtpm = await startSwtpm()
  const proxy = await startTpmProxy(swtpm.address)
  const bareTool = async (name: string, ...args: string[]) => {
    const env = { ...process.env, TPM2TOOLS_TCTI: proxy.tpm2ToolsTcti, TPM2OPENSSL_TCTI: proxy.tpm2ToolsTcti }
    const { stdout } = await promisify(execFile)(name, args, { env, cwd: folder, timeout: 20_000 })
    return stdout
  }
  return {
    swtpm,
    proxy,
    folder,
    bareTool,
    async tool(name, ...args) {
      const output = await bareTool(name, ...args)
      await bareTool('tpm2_flushcontext', '-t')
      return output
    },
    async lockoutCounter() {
      const [, count] =
        /TPM2_PT_LOCKOUT_COUNTER: (0x\w+)/.exec(await bareTool('tpm2_getcap', 'properties-variable')) ?? []
      return Number(count)
    },
    async loaded() {
      return (
        (await bareTool('tpm2_getcap', 'handles-transient')) + (await bareTool('tpm2_getcap', 'handles-loaded-session'))
      )
    },
    async close() {
      await proxy.close()
      await swtpm.stop()
      await rm(folder, { recursive: true })
    },
  }
}

/** Has another TPM answer one command. */
export function ask(address: string, command: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(address.slice('unix:'.length), () => socket.write(command))
    socket.once('error', reject)
    socket.on('data', (chunk: Buffer) => {
      const whole = Buffer.concat([...chunks.splice(0), chunk])
      chunks.push(whole)
      if (whole.length >= 10 && whole.length === whole.readUInt32BE(2)) socket.end(() => resolve(whole))
    })
  })
}
