import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createTestPki } from '@hardbound/testkit'

const TYPE_A = 1
const TTL_SECONDS = 1

export interface DnsServer {
  /** For a browser's "secure DNS". */
  readonly url: string
  /** SHA-256 of the public key of its certificate, base64. */
  readonly spki: string
  /** Addresses (A) that were told, in order. */
  readonly answers: readonly { name: string; address: string }[]
  close(): Promise<void>
}

/**
 * DNS over HTTPS (RFC 8484), as a browser takes it from its settings, so that no test needs port 53, root or /etc/resolv.conf.
 * @param resolve IPv4 address of a name, if it has one.
 */
export async function startDns(resolve: (name: string) => string | undefined): Promise<DnsServer> {
  const pki = await createTestPki()
  const { certPem, keyPem, spkiSha256 } = await pki.issue({ commonName: '127.0.0.1', ip: ['127.0.0.1'] })
  const answers: { name: string; address: string }[] = []
  const server = createSecureServer({ cert: certPem, key: keyPem, allowHTTP1: true }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const query = readQuery(Buffer.concat(chunks))
      const address = query.type === TYPE_A ? resolve(query.name) : undefined
      if (address !== undefined) answers.push({ name: query.name, address })
      response.writeHead(200, { 'content-type': 'application/dns-message', 'cache-control': 'no-store' })
      response.end(makeAnswer(query, address))
    })
  })
  server.on('sessionError', () => {}) // a browser that ends
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`,
    spki: Buffer.from(spkiSha256, 'hex').toString('base64'),
    answers,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        for (const session of sessions) session.destroy()
      }),
  }
}

interface Query {
  id: Buffer
  name: string
  type: number
  /** As it was asked (RFC 1035 §4.1.2). */
  question: Buffer
}

function readQuery(message: Buffer): Query {
  const labels: string[] = []
  let at = 12
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length).toLowerCase())
    at += 1 + length
  }
  const question = message.subarray(12, at + 5)
  return { id: message.subarray(0, 2), name: labels.join('.'), type: message.readUInt16BE(at + 1), question }
}

/** One answer or none; never an error, so that nothing is asked elsewhere. */
function makeAnswer({ id, question }: Query, address: string | undefined): Buffer {
  const record = Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, TTL_SECONDS, 0, 4])
  const octets = address === undefined ? [] : [record, Buffer.from(address.split('.').map(Number))]
  const head = Buffer.from([0x81, 0x80, 0, 1, 0, address === undefined ? 0 : 1, 0, 0, 0, 0])
  return Buffer.concat([id, head, question, ...octets])
}
