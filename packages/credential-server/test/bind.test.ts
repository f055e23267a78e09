import { once } from 'node:events'
import { chmod, lstat, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createCredentialServer } from '../src/index.ts'
import { assertServerInit } from '../src/internal/assert.ts'
import { authorization, CONTAINER_PATH, ROLE, SECRET, testProvider } from './aws-helpers.ts'

let folder: string
let socketPath: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credential-socket-'))
  socketPath = join(folder, 'server')
})
afterEach(() => rm(folder, { recursive: true }))

const aws = { provider: testProvider(), roleName: ROLE, container: { authorizationToken: SECRET } }

async function status(host: string, path = CONTAINER_PATH, method = 'GET'): Promise<number> {
  const sent = request({ socketPath, path, method, headers: { ...authorization, host }, agent: false }).end()
  const [answer] = await once(sent, 'response')
  answer.resume()
  return answer.statusCode
}

async function leaveBehind(): Promise<void> {
  const killed = createServer().listen(join(folder, 'other'))
  await once(killed, 'listening')
  await rename(join(folder, 'other'), socketPath) // out of the way of its own tidying
  await new Promise((resolve) => killed.close(resolve))
}

describe('a server on a UNIX socket', () => {
  it.each([0o000, 0o022])('lets in this user alone, under umask %o', async (mask) => {
    const before = process.umask(mask)
    const server = createCredentialServer({ aws, socketPath })
    expect(await server.listen()).toEqual({ host: socketPath, port: 0 })
    expect(process.umask(before)).toBe(mask)
    expect((await lstat(socketPath)).mode & 0o777).toBe(0o600)
    expect(await status('localhost')).toBe(200)
    expect(await status('localhost', '/latest/api/token', 'PUT')).toBe(200)
    expect(await status('attacker.example')).toBe(403)
    expect(() => server.environment()).toThrow('no variable leads to a UNIX socket')
    await server.close()
    expect(await readdir(folder)).toEqual([])
  })

  it('I21 takes no place that is taken, by a server or a file', async () => {
    const first = createCredentialServer({ aws, socketPath })
    await first.listen()
    const second = createCredentialServer({ aws, socketPath })
    await expect(second.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_ADDRESS_IN_USE' })
    expect(await status('localhost')).toBe(200)
    await first.close()
    await writeFile(socketPath, 'mine')
    const third = createCredentialServer({ aws, socketPath })
    await expect(third.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_ADDRESS_IN_USE' })
    const fourth = createCredentialServer({ aws, socketPath: join(folder, 'none', 'server') })
    await expect(fourth.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_LISTEN' })
  })

  it('takes the place of a server that was killed', async () => {
    await leaveBehind()
    const server = createCredentialServer({ aws, socketPath })
    await server.listen()
    expect(await status('localhost')).toBe(200)
    await server.close()
  })

  it('I21 takes it once: of four that start at the same time, one listens, and is the one that is reached', async () => {
    for (let round = 0; round < 25; round++) {
      await leaveBehind()
      const servers = Array.from({ length: 4 }, () => createCredentialServer({ aws, socketPath }))
      const outcomes = await Promise.allSettled(servers.map((it) => it.listen()))
      const reasons = outcomes.map((it) => (it.status === 'rejected' ? it.reason.code : 'listens')).sort()
      expect(reasons).toEqual([...Array(3).fill('ERR_SERVER_ADDRESS_IN_USE'), 'listens'])
      expect(await status('localhost')).toBe(200)
      await Promise.all(servers.map((it) => it.close()))
      expect(await readdir(folder)).toEqual([])
    }
  })

  it('I20 stays out of folders where others can put a socket of their own in its place', async () => {
    for (const mode of [0o777, 0o770, 0o702]) {
      await chmod(folder, mode)
      const server = createCredentialServer({ aws, socketPath })
      await expect(server.listen()).rejects.toMatchObject({ code: 'ERR_SERVER_LISTEN' })
    }
    await chmod(folder, 0o1777)
    const server = createCredentialServer({ aws, socketPath })
    await server.listen()
    await server.close()
  })

  it.each([
    ['"socketPath" must be an absolute path', { socketPath: 'relative' }],
    ['"socketPath" goes without', { socketPath: '/run/x', port: 80 }],
    ['"socketPath" goes without', { socketPath: '/run/x', host: '127.0.0.1' }],
    ['"sameUserOnly" is for TCP', { socketPath: '/run/x', sameUserOnly: true }],
    ['"allowedUids" needs', { socketPath: '/run/x', allowedUids: [1000] }],
  ])('refuses what does not fit: %s', (text, init) => {
    expect(() => createCredentialServer({ aws, ...init })).toThrow(text)
    expect(() => assertServerInit({ aws, socketPath: '/run/x' }, 'win32')).toThrow('absolute path')
    expect(() => assertServerInit({ aws, socketPath: '/run/x' }, 'darwin')).not.toThrow()
  })
})
