import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { startSwtpm, startTpmProxy, type TestSwtpm, type TestTpmProxy } from '../src/hardware.ts'

/** TPM2_GetRandom of 8 octets, TPM 2.0 Part 3, 16.1. */
const GET_RANDOM = Buffer.from('80010000000c0000017b0008', 'hex')
const BUSY = Buffer.from('80010000000a00000922', 'hex')

let swtpm: TestSwtpm
let proxy: TestTpmProxy
beforeAll(async () => {
  swtpm = await startSwtpm()
  proxy = await startTpmProxy(swtpm.address)
})
afterAll(async () => {
  await proxy.close()
  await swtpm.stop()
})
beforeEach(() => {
  proxy.fault = () => undefined
  proxy.exchanges.length = 0
})

const dial = () => connect(proxy.address.slice('unix:'.length))

async function ask(socket: Socket): Promise<Buffer> {
  socket.write(GET_RANDOM)
  const [response] = (await once(socket, 'data')) as [Buffer]
  return response
}

describe('startTpmProxy', () => {
  it('serves two clients at a time, and keeps what passed', async () => {
    const sockets = [dial(), dial()] as const
    const responses = [await ask(sockets[0]), await ask(sockets[1])]
    for (const socket of sockets) socket.destroy()
    expect(responses.map((it) => it.length)).toEqual([20, 20])
    expect(proxy.transcript).toEqual([GET_RANDOM, responses[0], GET_RANDOM, responses[1]])
    expect(proxy.exchanges[0]?.commandCode).toBe(0x17b)
  })

  it('answers for the TPM, changes a command, changes a response', async () => {
    const socket = dial()
    proxy.fault = () => ({ answer: BUSY })
    expect(await ask(socket)).toEqual(BUSY)
    proxy.fault = () => ({ command: Buffer.from('80010000000c0000017b0004', 'hex') })
    expect(await ask(socket)).toHaveLength(16)
    proxy.fault = () => ({ response: (whole) => whole.subarray(0, 5) })
    expect(await ask(socket)).toHaveLength(5)
    socket.destroy()
  })

  it.each(['before', 'after'] as const)('ends the connection %s the TPM ran the command', async (drop) => {
    proxy.fault = () => ({ drop })
    const socket = dial()
    socket.write(GET_RANDOM)
    await once(socket, 'close')
    expect(proxy.exchanges[0]?.response).toHaveLength(drop === 'before' ? 0 : 20)
  })
})
