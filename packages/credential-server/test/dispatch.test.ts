import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
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
const peerUid = jest.fn<(socket: Socket) => Promise<number | undefined>>()
const admit = jest.fn()
const events: CredentialServerEvent[] = []
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
let authorities: ReadonlySet<string>
const dispatch = createDispatch({
  routes: [ROUTE],
  authorities: () => authorities,
  uids: new Set([1000]),
  peerUid,
  isClosing: () => false,
  emit: (event) => events.push(event),
})
const server = createServer((request, response) => void dispatch(request, response, admit))

async function status(path = '/'): Promise<number | undefined> {
  const { port } = server.address() as AddressInfo
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent }, resolve).on('error', reject)
  })
  await once(answer.resume(), 'end')
  return answer.statusCode
}

beforeEach(async () => {
  jest.resetAllMocks()
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
  it.each([undefined, 0, 1001])('I20 admits nobody when the user is %p', async (uid) => {
    peerUid.mockResolvedValue(uid)
    expect(await status()).toBe(403)
    expect(events).toEqual([{ type: 'refused', reason: 'peer', status: 403, ...(uid === undefined ? {} : { uid }) }])
    expect(admit).not.toHaveBeenCalled()
  })

  it('I20 admits nobody when the look-up fails', async () => {
    peerUid.mockRejectedValue(new Error('EIO'))
    expect(await status()).toBe(500)
    expect(events).toEqual([{ type: 'refused', reason: 'internal', status: 500 }])
    expect(admit).not.toHaveBeenCalled()
  })

  it('I20 looks once a connection, and admits each of its requests', async () => {
    peerUid.mockResolvedValue(1000)
    expect([await status(), await status(), await status('/nowhere')]).toEqual([200, 200, 404])
    expect(peerUid).toHaveBeenCalledTimes(1)
    expect(admit).toHaveBeenCalledTimes(3)
  })

  it('I01 looks nobody up before the headers are right', async () => {
    authorities = new Set()
    expect(await status()).toBe(403)
    expect(peerUid).not.toHaveBeenCalled()
  })
})
