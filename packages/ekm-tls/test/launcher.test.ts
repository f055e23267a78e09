import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIssuer, startLauncher, type TestIssuer, type TestLauncher } from '@hardbound/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { confidentialSpaceLauncher } from '../src/client.ts'

const request = { audience: 'https://broker.example.com', nonces: ['n'.repeat(43)] }

describe('confidentialSpaceLauncher', () => {
  let issuer: TestIssuer
  let launcher: TestLauncher
  let folder: string
  beforeAll(async () => {
    issuer = await startIssuer()
    launcher = await startLauncher({ issuer })
    folder = await mkdtemp(join(tmpdir(), 'hardbound-launcher-'))
  })
  beforeEach(() => {
    launcher.fault = undefined
  })
  afterAll(async () => {
    await launcher.close()
    await issuer.close()
    await rm(folder, { recursive: true })
  })

  it.each([
    ['google', '/v1/token'],
    ['intel', '/v1/intel/token'],
  ] as const)('asks %s on %s with exactly the fields that the launcher takes', async (service, path) => {
    launcher.fault = (_request, response) => response.end('e30.e30.c2ln')
    const token = await confidentialSpaceLauncher({ socketPath: launcher.socketPath, service }).getToken(request)
    expect(token).toBe('e30.e30.c2ln')
    expect(launcher.requests.at(-1)).toEqual({ path, body: { ...request, token_type: 'OIDC' } })
  })

  it.each(['OIDC', 'PKI'] as const)('gets a %s token that carries audience and nonce', async (tokenType) => {
    const token = await confidentialSpaceLauncher({ socketPath: launcher.socketPath, tokenType }).getToken(request)
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>
    expect(claims).toMatchObject({ aud: request.audience, eat_nonce: request.nonces[0] })
  })

  it.each<[string, TestLauncher['fault']]>([
    ['C01 400 with text', (_q, r) => r.writeHead(400).end('failed to parse')],
    ['C01 500 with text that looks like a token', (_q, r) => r.writeHead(500).end('e30.e30.c2ln')],
    ['C01 200 with text', (_q, r) => r.end('no token today')],
    ['C01 200 with nothing', (_q, r) => r.end()],
    ['C02 half a token', (_q, r) => r.write('e30.e30', () => r.destroy())],
    ['another protocol', (q) => q.socket.write('HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n')],
    ['no HTTP', (q) => q.socket.end('HTTP/1.1 200 OK\r\ne30.e30.c2ln\r\n\r\n')],
    ['C02 more than 64 KiB', (_q, r) => r.end(`e30.${'a'.repeat(70_000)}.c2ln`)],
  ])('refuses %s', async (_name, fault) => {
    launcher.fault = fault
    await expect(
      confidentialSpaceLauncher({ socketPath: launcher.socketPath }).getToken(request),
    ).rejects.toMatchObject({
      code: 'ERR_ATTESTATION_REFUSED',
    })
  })

  it('C02 gives up on a launcher that hangs, and on one that closes early', async () => {
    const source = confidentialSpaceLauncher({ socketPath: launcher.socketPath, timeoutMs: 50 })
    launcher.fault = () => {}
    await expect(source.getToken(request)).rejects.toMatchObject({ code: 'ERR_EKM_TIMEOUT' })
    await expect(source.getToken({ ...request, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_EKM_ABORTED',
    })
    launcher.fault = (it) => it.socket.destroy()
    await expect(source.getToken(request)).rejects.toMatchObject({ code: 'ERR_ATTESTATION_UNAVAILABLE' })
  })

  it('says that this is no confidential VM', async () => {
    await expect(
      confidentialSpaceLauncher({ socketPath: join(folder, 'none') }).getToken(request),
    ).rejects.toMatchObject({
      code: 'ERR_ATTESTATION_UNAVAILABLE',
    })
  })

  describe('C04 refuses a socket that could be somebody else', () => {
    const socketPath = async (prepare: (path: string) => Promise<unknown>): Promise<string> => {
      const path = join(folder, `case-${Math.random().toString(36).slice(2)}`)
      await prepare(path)
      return path
    }
    const attempt = (path: string): Promise<string> => confidentialSpaceLauncher({ socketPath: path }).getToken(request)

    it('a regular file', async () => {
      const path = await socketPath((it) => writeFile(it, ''))
      await expect(attempt(path)).rejects.toMatchObject({ code: 'ERR_ATTESTATION_SOCKET' })
    })
    it('a symbolic link', async () => {
      const path = await socketPath((it) => symlink(launcher.socketPath, it))
      await expect(attempt(path)).rejects.toMatchObject({ code: 'ERR_ATTESTATION_SOCKET' })
    })
    it('in a folder that everybody may write to, unless only owners may replace files there', async () => {
      const open = join(folder, 'open')
      await mkdir(open)
      const second = await startLauncher({ issuer, socketPath: join(open, 'tee.sock') })
      await chmod(open, 0o777)
      await expect(attempt(second.socketPath)).rejects.toMatchObject({ code: 'ERR_ATTESTATION_SOCKET' })
      await chmod(open, 0o1777)
      await expect(attempt(second.socketPath)).resolves.toMatch(/^ey/)
      await second.close()
    })
    const asRoot = process.geteuid?.() === 0
    it(`of another user${asRoot ? '' : ' (needs root: its ownership is only compared)'}`, async () => {
      const third = await startLauncher({ issuer, socketPath: join(folder, 'third.sock') })
      const { chown } = await import('node:fs/promises')
      if (asRoot) {
        await chown(third.socketPath, 12_345, 12_345)
        await expect(attempt(third.socketPath)).rejects.toMatchObject({ code: 'ERR_ATTESTATION_SOCKET' })
      } else {
        await expect(chown(third.socketPath, 12_345, 12_345)).rejects.toMatchObject({ code: 'EPERM' })
      }
      await third.close()
    })
  })

  it('takes only what it knows', () => {
    expect(() => confidentialSpaceLauncher({ service: 'other' as 'google' })).toThrow(TypeError)
    expect(() => confidentialSpaceLauncher({ tokenType: 'LIMITED_AWS' as 'OIDC' })).toThrow(TypeError)
  })
})
