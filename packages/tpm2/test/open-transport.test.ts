import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPrimary, tpmProperty } from '../src/commands.ts'
import { openTpm, openTransport, type Tpm, type TpmTransport } from '../src/index.ts'

const run = promisify(execFile)

let swtpm: TestSwtpm
let folder: string
beforeAll(async () => {
  swtpm = await startSwtpm()
  folder = await mkdtemp(join(tmpdir(), 'hardbound-transport-'))
})
afterAll(async () => {
  await swtpm.stop()
  await rm(folder, { recursive: true })
})

const socketPath = (): string => swtpm.address.slice('unix:'.length)

/** Two commands that differ in length. */
async function works(tpm: Tpm): Promise<void> {
  expect(await tpmProperty(tpm, 'inputBuffer')).toBe(1024)
  await tpm.exclusively((alone) => createPrimary(alone, { hierarchy: 'owner', template: 'srk-rsa' }))
  await tpm.close()
}

describe('openTransport', () => {
  it('reaches swtpm over a UNIX socket', async () => {
    const transport = await openTransport(swtpm.address)
    expect(transport).toMatchObject({ description: swtpm.address, hasResourceManager: false, isClosed: false })
    await works(await openTpm({ transport }))
    expect(transport.isClosed).toBe(true)
  })

  it('M20 reaches swtpm over TCP, only where that is allowed', async () => {
    const tcp = await startSwtpm({ transport: 'tcp' })
    try {
      await expect(openTransport(tcp.address)).rejects.toThrow(TypeError)
      await expect(openTransport(tcp.address.replace('swtpm', 'mssim'))).rejects.toThrow('dangerouslyAllowTcp')
      await works(await openTpm({ transport: await openTransport(tcp.address, { dangerouslyAllowTcp: true }) }))
    } finally {
      await tcp.stop()
    }
  })

  it.each([
    '',
    'dev/tpm0',
    'unix:',
    'unix:relative.sock',
    'tcp://127.0.0.1:2321',
    'swtpm:127.0.0.1',
    'swtpm:127.0.0.1:0',
    'swtpm:127.0.0.1:65535',
    'swtpm:127.0.0.1:2321/x',
    'swtpm:a b:2321',
  ])('does not take the address %p', async (address) => {
    await expect(openTransport(address, { dangerouslyAllowTcp: true })).rejects.toThrow(TypeError)
  })

  it('refuses times that can not be, and signals that have fired', async () => {
    await expect(openTransport(swtpm.address, { timeoutMs: -1 })).rejects.toThrow(RangeError)
    for (const address of [swtpm.address, '/dev/null']) {
      const opened = openTransport(address, { signal: AbortSignal.abort() })
      await expect(opened).rejects.toMatchObject({ code: 'ERR_TPM_ABORTED' })
    }
  })

  it('M01 says what is wrong with a socket', async () => {
    await expect(openTransport(`unix:${folder}/none`)).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    await expect(openTransport('swtpm:127.0.0.1:1', { dangerouslyAllowTcp: true })).rejects.toMatchObject({
      code: 'ERR_TPM_UNREACHABLE',
    })
    await chmod(socketPath(), 0)
    await asNobody(() => expect(openTransport(swtpm.address)).rejects.toMatchObject({ code: 'ERR_TPM_DEVICE' }))
    await chmod(socketPath(), 0o700)
  })

  it('gives up a peer that sends too much, twice, or nothing', async () => {
    const answers: ((socket: Socket) => void)[] = [
      (socket) => socket.write(Buffer.alloc(9_000)),
      (socket) => socket.write(Buffer.from('80010000000a0000000080010000000a00000000', 'hex')),
      (socket) => socket.write(Buffer.from('8001000000090000000000000000000000', 'hex')),
      (socket) => socket.write(Buffer.from('8001ffffffff00000000', 'hex')),
      (socket) => socket.end(Buffer.from('80010000', 'hex')),
    ]
    const codes = ['RESPONSE', 'RESPONSE', 'RESPONSE', 'RESPONSE', 'UNREACHABLE']
    for (const [at, answer] of answers.entries()) {
      const path = join(folder, `bad-${at}.sock`)
      const server = createServer((socket) => socket.on('error', () => {}).once('data', () => answer(socket)))
      await listen(server, { path })
      const transport = await openTransport(`unix:${path}`)
      const done = transport.transmit(new Uint8Array(10), { signal: new AbortController().signal })
      await expect(done).rejects.toMatchObject({ code: `ERR_TPM_${codes[at]}` })
      await transport.close()
      await close(server)
    }
  })

  it('M04 gives up a peer whose second answer comes late, before that is taken for the next one', async () => {
    const path = join(folder, 'late.sock')
    const answer = Buffer.from('80010000000a00000000', 'hex')
    let sendMore = (): unknown => undefined
    const server = createServer((socket) => {
      sendMore = () => socket.write(answer)
      socket.on('error', () => {}).once('data', () => socket.write(answer))
    })
    await listen(server, { path })
    const transport = await openTransport(`unix:${path}`)
    const { signal } = new AbortController()
    expect(Buffer.from(await transport.transmit(new Uint8Array(10), { signal }))).toEqual(answer)
    sendMore()
    await new Promise((resolve) => setTimeout(resolve, 50)) // until it has arrived
    const next = await transport.transmit(new Uint8Array(10), { signal }).catch((error: unknown) => error)
    await transport.close()
    await close(server)
    expect(next).toMatchObject({ code: 'ERR_TPM_RESPONSE' })
  })
})

describe('character devices', () => {
  it('M01 says what is wrong with them', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    for (const path of [folder, file, socketPath()]) {
      await expect(openTransport(path)).rejects.toMatchObject({
        code: 'ERR_TPM_DEVICE',
        message: `${path} is not a character device`,
      })
    }
    await expect(openTransport(join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    await chmod(folder, 0)
    await asNobody(() => expect(openTransport(file)).rejects.toMatchObject({ code: 'ERR_TPM_DEVICE' }))
    await chmod(folder, 0o700)
  })

  it.each([
    ['/dev/null', 'ERR_TPM_RESPONSE'],
    ['/dev/zero', 'ERR_TPM_RESPONSE'],
    ['/dev/full', 'ERR_TPM_UNREACHABLE'],
  ])('%s is none of a TPM', async (path, code) => {
    await expect(openTpm({ transport: () => openTransport(path) })).rejects.toMatchObject({ code })
  })

  it('take a command in a write, and give the response in a read', async () => {
    const terminal = await startTerminal(socketPath())
    try {
      const transport = await openTransport(terminal.path)
      expect(transport.hasResourceManager).toBe(false)
      await works(await openTpm({ transport }))
    } finally {
      await terminal.stop()
    }
  })

  it('that do not answer are given up', async () => {
    const terminal = await startTerminal(undefined)
    const opened = openTpm({ transport: () => openTransport(terminal.path), commandTimeoutMs: 100 })
    await expect(opened).rejects.toMatchObject({ code: 'ERR_TPM_TIMEOUT' })
    await terminal.stop() // lets the thread go that still reads
  })
})

interface Simulator {
  readonly port: number
  readonly seen: string[]
  /** When a client has said that it goes. */
  readonly ended: Promise<void>
  /** Changes what the client gets. */
  fault: (out: Buffer) => Buffer
  readonly server: Server
  readonly platform: Server
}

describe('the TCG simulator', () => {
  let simulator: Simulator
  beforeAll(async () => {
    simulator = await startSimulator(socketPath())
  })
  afterAll(() => Promise.all([close(simulator.server), close(simulator.platform)]))

  it('is powered on, and speaks', async () => {
    const transport = await openTransport(`mssim:127.0.0.1:${simulator.port}`, { dangerouslyAllowTcp: true })
    await works(await openTpm({ transport }))
    expect(simulator.seen.slice(0, 3)).toEqual(['platform 1', 'platform 11', 'platform 20'])
    await simulator.ended
  })

  it.each([
    ['a size that no response has', (out: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, 9]), out.subarray(4)])],
    ['no zero at its end', (out: Buffer) => Buffer.concat([out.subarray(0, -1), Buffer.from([1])])],
    ['octets after its end', (out: Buffer) => Buffer.concat([out, Buffer.from([0])])],
  ])('is given up on %s', async (_, fault) => {
    simulator.fault = fault
    const transport = (): Promise<TpmTransport> =>
      openTransport(`mssim:127.0.0.1:${simulator.port}`, { dangerouslyAllowTcp: true })
    await expect(openTpm({ transport })).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    simulator.fault = (out) => out
  })

  it('of this test is understood by tpm2-tools, too', async () => {
    const env = { ...process.env, TPM2TOOLS_TCTI: `mssim:host=127.0.0.1,port=${simulator.port}` }
    const { stdout } = await run('tpm2_getcap', ['properties-fixed'], { env })
    expect(stdout).toContain('TPM2_PT_INPUT_BUFFER:\n  raw: 0x400')
  })
})

/** A terminal is a character device that anybody can have: its slave's end here, its master's end before a TPM. */
async function startTerminal(tpm: string | undefined): Promise<{ path: string; stop: () => Promise<void> }> {
  const child = spawn('script', ['-qec', 'stty raw -echo; tty; exec sleep 1000', '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  }) as ChildProcess & { stdin: NodeJS.WritableStream; stdout: NodeJS.ReadableStream }
  const [first] = (await once(child.stdout, 'data')) as [Buffer]
  const path = /\/dev\/pts\/\d+/.exec(first.toString())?.[0]
  if (path === undefined) throw new Error('no terminal')
  const socket = tpm === undefined ? undefined : connect(tpm)
  socket?.on('data', (chunk) => child.stdin.write(chunk))
  child.stdout.on('data', (chunk: Buffer) => socket?.write(chunk))
  return {
    path,
    stop: async () => {
      socket?.destroy()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** The simulator's protocol around swtpm, written down a second time (TCG reference code, TpmTcpProtocol.h). */
async function startSimulator(tpm: string): Promise<Simulator> {
  const seen: string[] = []
  const ok = Buffer.alloc(4)
  const simulator = { fault: (out: Buffer) => out }
  let sayEnd = (): void => {}
  const ended = new Promise<void>((resolve) => {
    sayEnd = resolve
  })
  const platform = createServer((socket) =>
    socket
      .on('error', () => {})
      .on('data', (chunk: Buffer) => {
        for (let at = 0; at < chunk.length; at += 4) {
          seen.push(`platform ${chunk.readUInt32BE(at)}`)
          if (chunk.readUInt32BE(at) === 20) socket.end()
          else socket.write(ok)
        }
      }),
  )
  const server = createServer((socket) => {
    const upstream = connect(tpm)
    let pending = Buffer.alloc(0)
    upstream
      .on('error', () => {})
      .on('data', (response: Buffer) => {
        const size = Buffer.alloc(4)
        size.writeUInt32BE(response.length)
        socket.write(simulator.fault(Buffer.concat([size, response, ok])))
      })
    socket.on('error', () => {}).on('close', () => upstream.destroy())
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 4) {
        const command = pending.readUInt32BE(0)
        if (command === 20) {
          sayEnd()
          return void socket.end()
        }
        if (command !== 8) throw new Error(`not a command of the simulator: ${command}`)
        if (pending.length < 9 || pending.length < 9 + pending.readUInt32BE(5)) return
        const end = 9 + pending.readUInt32BE(5)
        upstream.write(pending.subarray(9, end))
        pending = pending.subarray(end)
      }
    })
  })
  for (;;) {
    await listen(server, { host: '127.0.0.1', port: 0 })
    const { port } = server.address() as { port: number }
    const next = await listen(platform, { host: '127.0.0.1', port: port + 1 }).catch((e: unknown) => e)
    if (next === undefined) return Object.assign(simulator, { port, seen, ended, server, platform })
    await close(server)
  }
}

function listen(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** Root may do everything, so that it must be somebody else to be refused. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  const root = process.geteuid?.() === 0
  if (root) process.seteuid?.('nobody')
  try {
    await work()
  } finally {
    if (root) process.seteuid?.(0)
  }
}
