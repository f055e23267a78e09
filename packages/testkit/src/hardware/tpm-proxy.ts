import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listen } from '../internal/http.ts'
import { toolsTcti } from './tools-tcti.ts'

/** One command with its response, as they are on the wire. */
export interface TpmExchange {
  readonly command: Uint8Array
  /** TPM_CC, such as `0x155` for TPM2_HMAC. */
  readonly commandCode: number
  /** As the TPM gave it; what the client got may have been changed. Empty where the TPM was not asked. */
  response: Uint8Array
}

/**
 * What goes wrong, asked before each command: `undefined` for nothing. A fault is `command` (sent in its place), `answer` (the TPM is not
 * asked), `response` (its response changed: cut, lengthened, altered, delayed), `drop` (the connection ends, before or after the TPM ran it).
 */
export type TpmFault = (exchange: TpmExchange) =>
  | undefined
  | {
      readonly command?: Uint8Array
      readonly answer?: Uint8Array | Promise<Uint8Array>
      readonly response?: (response: Uint8Array) => Uint8Array | Promise<Uint8Array>
      readonly drop?: 'before' | 'after'
    }

/** A running proxy in front of a TPM. */
export interface TestTpmProxy {
  /** `unix:/path` */
  readonly address: string
  /** As in `TestSwtpm`, through the proxy. */
  readonly tpm2ToolsTcti: string
  /** Every command and response so far, in order. */
  readonly exchanges: TpmExchange[]
  /** The same as octets that crossed the bus: command, response, command, … */
  readonly transcript: Uint8Array[]
  /** Goes wrong from now on. Default: nothing does. */
  fault: TpmFault
  /** Ends every connection of a client, and does not wait for the TPM. A second call does nothing. */
  close(): Promise<void>
}

const HEADER = 10

/**
 * Starts a recording proxy before a software TPM behind a UNIX socket. It dials the TPM anew for each command, so any number of clients may be
 * connected at a time (swtpm itself serves one), as to a device with several openers and no resource manager.
 *
 * @param upstream `address` of the TPM: `unix:/path`.
 */
export async function startTpmProxy(upstream: string): Promise<TestTpmProxy> {
  if (!upstream.startsWith('unix:')) throw new TypeError('"upstream" must be unix:/path')
  const target = upstream.slice('unix:'.length)
  const folder = await mkdtemp(join(tmpdir(), 'hardbound-tpm-proxy-'))
  const path = join(folder, 'tpm.sock')
  const exchanges: TpmExchange[] = []
  let turn: Promise<unknown> = Promise.resolve() // a TPM does one thing at a time

  async function pass(client: Socket, command: Buffer): Promise<void> {
    const exchange: TpmExchange = { command, commandCode: command.readUInt32BE(6), response: new Uint8Array() }
    exchanges.push(exchange)
    const fault = proxy.fault(exchange)
    if (fault?.drop === 'before') return void client.destroy()
    if (fault?.answer) return void client.write(await fault.answer)
    exchange.response = await ask(target, fault?.command ?? command)
    if (fault?.drop === 'after') return void client.destroy()
    client.write((await fault?.response?.(exchange.response)) ?? exchange.response)
  }
  const server = createServer((client) => {
    client.on('error', () => client.destroy())
    onMessages(client, (command) => {
      turn = turn.then(() => pass(client, command)).catch(() => client.destroy())
    })
  })
  const { close } = await listen(server, { path })
  const proxy: TestTpmProxy = {
    address: `unix:${path}`,
    tpm2ToolsTcti: toolsTcti(path),
    exchanges,
    get transcript() {
      return exchanges.flatMap(({ command, response }) => [command, response])
    },
    fault: () => undefined,
    async close() {
      await close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  return proxy
}

/** Sends one command over a connection of its own. */
function ask(path: string, command: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(command))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the TPM ended the connection')))
    onMessages(socket, (response) => socket.end(() => resolve(response)))
  })
}

/** Cuts what arrives at the length that each header says (TPM 2.0 Part 1, 18.4). */
function onMessages(socket: Socket, message: (octets: Buffer) => void): void {
  let pending = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= HEADER) {
      const length = pending.readUInt32BE(2)
      if (length < HEADER) return void socket.destroy()
      if (pending.length < length) return
      message(pending.subarray(0, length))
      pending = pending.subarray(length)
    }
  })
}
