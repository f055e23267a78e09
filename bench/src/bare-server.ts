// The floor of broker-grant: mutual TLS, keying material, an answer. Certificate, key and CA are in the folder it is given.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { ekmServerOptions } from '@hardbound/ekm-tls'

const [folder = '.'] = process.argv.slice(2)
const read = (name: string): Buffer => readFileSync(join(folder, name))
const ANSWER = JSON.stringify({
  Version: 1,
  AccessKeyId: 'A'.repeat(20),
  SecretAccessKey: 'S'.repeat(40),
  SessionToken: 'T'.repeat(320),
})

const server = createServer({
  ...ekmServerOptions(),
  cert: read('server.pem'),
  key: read('server.key'),
  ca: read('ca.pem'),
  requestCert: true,
  rejectUnauthorized: true,
})
server.on('secureConnection', (socket: TLSSocket) =>
  socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)),
)
server.on('request', (request, response) => {
  request.resume().once('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length }).end(ANSWER)
  })
})
server.listen(0, '127.0.0.1', () => console.error(JSON.stringify({ port: (server.address() as AddressInfo).port })))
process.once('SIGTERM', () => process.exit(0))
