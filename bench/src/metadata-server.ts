import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startServer, stopServer } from './children.ts'
import { type Benchmark, interleaved, rounded } from './row.ts'

const CONNECTIONS = 16
const REQUESTS = 4_000
const ROUNDS = 21
const PATH = '/latest/meta-data/iam/security-credentials/reader'

/** What SDKs do again and again: credentials that are at hand, with a session token, over connections that stay open. */
export const metadataServer: Benchmark = {
  name: 'metadata-server',
  async run() {
    const script = fileURLToPath(new URL('metadata-endpoint.js', import.meta.url))
    const servers = await Promise.all(['ours', 'bare'].map((which) => startServer([script, which])))
    const clients: Client[] = []
    try {
      for (const { port } of servers) clients.push(await openClient(port))
      const [ours, bare] = clients.map((client) => () => perSecond(client)) as [Measure, Measure]
      await ours()
      await bare()
      const { value, against, ratio: paired } = await interleaved(ROUNDS, ours, bare)
      const ratio = rounded(paired)
      return {
        name: 'metadata-server',
        value: Math.round(value),
        unit: 'GET/s',
        against: Math.round(against),
        peer: 'bare node:http, same answer',
        ratio,
        goal: '>= 0.5x',
        pass: ratio >= 0.5,
      }
    } finally {
      for (const { sockets } of clients) for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map(stopServer))
    }
  },
}

type Measure = () => Promise<number>

interface Client {
  sockets: readonly Socket[]
  request: string
}

/** Bare sockets, so that most of the time is the server's. */
async function openClient(port: number): Promise<Client> {
  const head = (line: string): string => `${line} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(port)))
  const body = await ask(sockets[0]!, `${head('PUT /latest/api/token')}\r\n`, bodyOf)
  const token = body.startsWith('{') ? 't'.repeat(56) : body // the bare one knows nothing but its answer
  return { sockets, request: `${head(`GET ${PATH}`)}X-aws-ec2-metadata-token: ${token}\r\n\r\n` }
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.setNoDelay(true)))
    socket.once('error', reject)
  })
}

/** @param read What is wanted of this text; nothing as long as it is no whole answer. */
function ask(socket: Socket, request: string, read: (text: string) => string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onClose = (): void => reject(new Error(`the server hung up: ${text}`))
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      const found = read(text)
      if (found === undefined) return
      socket.off('data', onData).off('close', onClose)
      resolve(found)
    }
    socket.on('data', onData).once('close', onClose)
    socket.write(request)
  })
}

function bodyOf(text: string): string | undefined {
  const start = text.indexOf('\r\n\r\n') + 4
  const length = /^content-length: (\d+)/im.exec(text)?.[1]
  return start > 3 && text.length - start === Number(length) ? text.slice(start) : undefined
}

/** Of credentials, whose body ends as nothing else does: the client is to cost little. */
const wholeText = (text: string): string | undefined => (text.endsWith('}\n') ? text : undefined)

async function perSecond({ sockets, request }: Client): Promise<number> {
  let left = REQUESTS
  const start = process.hrtime.bigint()
  await Promise.all(
    sockets.map(async (socket) => {
      while (left-- > 0) {
        const answer = await ask(socket, request, wholeText)
        if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`the server answered ${answer.split('\r\n')[0]}`)
      }
    }),
  )
  return REQUESTS / (Number(process.hrtime.bigint() - start) / 1e9)
}
