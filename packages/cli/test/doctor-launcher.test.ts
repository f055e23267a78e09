import { rename } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { startIssuer, startLauncher } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { launcherCheck } from '../src/doctor/launcher-check.ts'
import { contextOf, lines } from './doctor-context.ts'
import { type Folder, makeFolder } from './helpers.ts'

let folder: Folder
beforeAll(async () => {
  folder = await makeFolder()
})
afterAll(() => folder.remove())

const check = async (socket?: string) => launcherCheck(contextOf(socket === undefined ? {} : { socket }))
const at = (name: string) => join(folder.path, name)
async function listen(name: string, onConnection: Parameters<typeof createServer>[1]): Promise<Server> {
  const server = createServer(onConnection)
  await new Promise<void>((resolve) => server.listen(at(name), resolve))
  return server
}

describe('launcherCheck', () => {
  it('hears a launcher answer, and asks for no token', async () => {
    const issuer = await startIssuer()
    const launcher = await startLauncher({ issuer })
    expect(lines(await check(launcher.socketPath))).toEqual([`ok: the launcher answers at ${launcher.socketPath}`])
    expect(launcher.requests.map(({ path }) => path)).toEqual(['/'])
    await Promise.all([launcher.close(), issuer.close()])
  })

  it('finds it absent on other machines, and a problem where it was asked for', async () => {
    expect(await check()).toMatchObject([{ status: 'absent' }])
    expect(await check(at('none'))).toMatchObject([{ status: 'problem', cure: expect.stringContaining('mount') }])
  })

  it('C04 takes nothing else for its socket', async () => {
    await folder.write('file', '')
    expect(lines(await check(at('file')))).toEqual([expect.stringContaining('is not a socket')])
  })

  it('says that nobody listens any more', async () => {
    const server = await listen('first', () => {})
    await rename(at('first'), at('gone'))
    await new Promise((resolve) => server.close(resolve))
    expect(await check(at('gone'))).toMatchObject([{ status: 'problem', message: expect.stringContaining('nobody') }])
  })

  it.each<[string, string, string]>([
    ['speaks something else', 'SSH-2.0-x\r\n', 'speaks no HTTP'],
    ['C02 says nothing', '', 'does not answer within 2 s'],
  ])('finds one that %s', async (name, answer, expected) => {
    const sockets = new Set<{ destroy(): void }>()
    const server = await listen(name.replaceAll(' ', ''), (socket) => {
      sockets.add(socket.on('error', () => {}))
      if (answer !== '') socket.end(answer)
    })
    expect(lines(await check(at(name.replaceAll(' ', ''))))).toEqual([expect.stringContaining(expected)])
    for (const it of sockets) it.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
})
