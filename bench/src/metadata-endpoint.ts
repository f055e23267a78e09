// One of the two servers of metadata-server: ours, or what node:http needs to answer the same. `ours` or `bare`.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createCredentialServer } from '@hardbound/credential-server'

const KEYS = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY',
  sessionToken: 'T'.repeat(800),
}
const ANSWER = `${JSON.stringify({ ...KEYS, Code: 'Success', Type: 'AWS-HMAC', Expiration: '2026-11-22T12:00:00Z', LastUpdated: '2026-11-22T11:00:00Z' })}\n`

async function ours(): Promise<number> {
  const expiration = new Date(Date.now() + 12 * 3_600_000)
  const server = createCredentialServer({
    aws: { roleName: 'reader', provider: () => Promise.resolve({ ...KEYS, expiration }) },
  })
  return (await server.listen()).port
}

async function bare(): Promise<number> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(ANSWER) }).end(ANSWER)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return (server.address() as AddressInfo).port
}

console.error(JSON.stringify({ port: await (process.argv[2] === 'ours' ? ours() : bare()) }))
process.once('SIGTERM', () => process.exit(0))
