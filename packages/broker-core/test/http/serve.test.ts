import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, it } from '@jest/globals'
import type { Broker } from '../../src/broker.ts'
import type { Connection } from '../../src/http/connection.ts'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'
import { serveRequest } from '../../src/http/serve.ts'

it('E23 H16 binds to no connection that is gone: its keying material is zeroed, and everybody knows zeroes; an answer nobody takes is given up', async () => {
  const socket = new Socket()
  const request = new IncomingMessage(socket)
  const headers = { host: 'broker.example.com', 'content-type': 'application/json', 'content-length': '2' }
  Object.assign(request, { method: 'POST', url: '/v2/credentials', httpVersion: '1.1', headers })
  request.rawHeaders = Object.entries(headers).flat()
  request.push('{}')
  request.push(null)
  socket.destroy()
  const channel = { ekm: new Uint8Array(32), serverSpkiSha256: new Uint8Array(32), clientSpkiSha256: undefined }
  const connection: Connection = {
    channels: { v2: channel, 'go-v1': undefined },
    peer: { address: '192.0.2.1', spkiSha256: undefined, san: { dns: [], uri: [] } },
    establishedAt: 0,
    octetsOfHandshake: 0,
    usedTokens: new Set(),
    requests: 1,
    refused: false,
    cancel: () => {},
    turn: Promise.resolve(),
  }
  const refusals: string[] = []
  const broker: Broker = {
    goV1: false,
    grant: () => Promise.reject(new Error('the broker was asked')),
    refuse: (error) => {
      refusals.push(error.reason)
      return Promise.resolve(error)
    },
    notReady: () => [],
  }
  const admission = { connect: () => true, enter: () => Promise.resolve(() => {}) }
  const response = new ServerResponse(request)
  await serveRequest(request, response, connection, {
    broker,
    admission,
    limits: { ...DEFAULT_LIMITS, writeTimeoutMs: 10 },
  })
  expect(refusals).toEqual(['binding.unavailable'])
  while (!response.destroyed) await new Promise((resolve) => setImmediate(resolve))
})
