import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createDispatch } from '../src/internal/dispatch.ts'
import { authoritiesOf } from '../src/internal/gate.ts'
import { oauthRefusalBody } from '../src/internal/route.ts'
import type { CredentialServerEvent } from '../src/types.ts'

const ROUTE = {
  name: 'test',
  paths: ['/'],
  methods: ['GET'],
  handle: async () => ({ body: '{}' }),
  refusalBody: oauthRefusalBody,
}
const events: CredentialServerEvent[] = []
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
let authorities: ReadonlySet<string>
const dispatch = createDispatch({
  routes: [ROUTE],
  authorities: () => authorities,
  userOf: () => 1000,
  isClosing: () => false,
  emit: (event) => events.push(event),
})
const server = createServer((request, response) => void dispatch(request, response))

async function status(path = '/'): Promise<number | undefined> {
  const { port } = server.address() as AddressInfo
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent }, resolve).on('error', reject)
  })
  await once(answer.resume(), 'end')
  return answer.statusCode
}

beforeEach(async () => {
  events.length = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  authorities = authoritiesOf('127.0.0.1', (server.address() as AddressInfo).port)
})
afterEach(async () => {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
})

describe('createDispatch', () => {
  it('answers each request of a connection', async () => {
    expect([await status(), await status(), await status('/nowhere')]).toEqual([200, 200, 404])
    expect(events).toEqual([{ type: 'refused', reason: 'path', status: 404, uid: 1000 }])
  })

  it('I01 looks at headers first', async () => {
    authorities = new Set()
    expect(await status('/nowhere')).toBe(403)
    expect(events).toEqual([{ type: 'refused', reason: 'host', status: 403, uid: 1000 }])
  })
})
