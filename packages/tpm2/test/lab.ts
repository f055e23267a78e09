import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startSwtpm, startTpmProxy, type TestSwtpm, type TestTpmProxy } from '@hardbound/testkit/hardware'

/** What a primary key needs to be the H-2 one. */
const H2 = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
export const SIGN = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
const PROVIDERS = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2']

/** A TPM behind a proxy, with an H-2 parent at `0x81000001`; and tpm2-tools and OpenSSL that speak to it. */
export interface Lab {
  readonly swtpm: TestSwtpm
  readonly proxy: TestTpmProxy
  readonly address: string
  /** For files of the tools, which run in it. */
  readonly folder: string
  /** Runs a line such as `getcap handles-transient`, and makes room after it, as a resource manager would. */
  tool(line: string): Promise<string>
  /** The same without making room. */
  bareTool(line: string): Promise<string>
  /** OpenSSL with its tpm2 provider. */
  openssl(line: string): Promise<string>
  /** Text of a file there. */
  text(name: string): Promise<string>
  /** tpm2_create below the parent; the key is at the handle then. Its parts are `k.pub` and `k.priv`. */
  keyAt(handle: number, options: string): Promise<void>
  /** The same as a TSS2 PRIVATE KEY of tpm2_encodeobject. */
  keyFile(options: string): Promise<string>
  /** TPM_PT_LOCKOUT_COUNTER */
  lockoutCounter(): Promise<number>
  /** Handles that are loaded: objects, sessions. */
  loaded(): Promise<string[]>
  stop(): Promise<void>
}

export async function startLab(): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-lab-'))
  const swtpm = await startSwtpm()
  const proxy = await startTpmProxy(swtpm.address)
  const run = async (program: string, args: string[]) => {
    const env = { ...process.env, TPM2TOOLS_TCTI: proxy.tpm2ToolsTcti, TPM2OPENSSL_TCTI: proxy.tpm2ToolsTcti }
    const { stdout } = await promisify(execFile)(program, args, { env, cwd: folder, timeout: 20_000 })
    return stdout
  }
  const lab: Lab = {
    swtpm,
    proxy,
    address: proxy.address,
    folder,
    async tool(line) {
      const output = await lab.bareTool(line)
      await run('tpm2_flushcontext', ['-t'])
      return output
    },
    bareTool(line) {
      const [name, ...args] = line.split(' ')
      return run(`tpm2_${name}`, args)
    },
    openssl(line) {
      const [name = '', ...args] = line.split(' ')
      return run('openssl', [name, ...PROVIDERS, ...args])
    },
    text: (name) => readFile(join(folder, name), 'utf8'),
    async keyAt(handle, options) {
      await lab.tool(`create -Q -C 0x81000001 ${options} -u k.pub -r k.priv`)
      await lab.bareTool('load -Q -C 0x81000001 -u k.pub -r k.priv -c k.ctx')
      await lab.tool(`evictcontrol -Q -C o -c k.ctx 0x${handle.toString(16)}`)
    },
    async keyFile(options) {
      await lab.tool(`create -Q -C 0x81000001 ${options} -u k.pub -r k.priv`)
      await lab.tool('encodeobject -Q -C 0x81000001 -p -u k.pub -r k.priv -o k.pem')
      return lab.text('k.pem')
    },
    async lockoutCounter() {
      const [, count] = /TPM2_PT_LOCKOUT_COUNTER: (0x\w+)/.exec(await lab.bareTool('getcap properties-variable')) ?? []
      return Number(count)
    },
    async loaded() {
      const handles = await Promise.all(
        ['80000000', '02000000', '03000000'].map((it) => handlesFrom(proxy.address, it)),
      )
      return handles.flat()
    },
    async stop() {
      await proxy.close()
      await swtpm.stop()
      await rm(folder, { recursive: true })
    },
  }
  await lab.bareTool(`createprimary -Q -C o -G ecc -a ${H2} -c h2.ctx`)
  await lab.tool('evictcontrol -Q -C o -c h2.ctx 0x81000001')
  return lab
}

/** TPM2_GetCapability of TPM_CAP_HANDLES, bare: our own client would flush what it finds. */
function handlesFrom(address: string, first: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const command = Buffer.from(`800100000016 0000017a 00000001 ${first} 00000010`.replaceAll(' ', ''), 'hex')
    const socket = connect(address.slice('unix:'.length), () => socket.write(command))
    socket.once('error', reject)
    socket.once('data', (answer: Buffer) => {
      const list = answer.subarray(19).toString('hex') // after header, moreData, capability, count
      socket.end(() => resolve(list.match(/.{8}/g) ?? []))
    })
  })
}
