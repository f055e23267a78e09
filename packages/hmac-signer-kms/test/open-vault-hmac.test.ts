import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { createTestPki } from '@hardbound/testkit'
import { describeHmacBackend } from '@hardbound/testkit/hmac-backend'
import { startVault, type TestVault } from '@hardbound/testkit/kms'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type OpenVaultHmacInit, openVaultHmac } from '../src/open-vault-hmac.ts'
import {
  answered,
  answerOf,
  DAY,
  errorOf,
  hex,
  KEY,
  signsWithoutAsking,
  signWith,
  tagOf,
  textOf,
  withRealEnv,
} from './helpers.ts'

let folder: string
let ca: string
let tls: { certPem: string; keyPem: string }
let vault: TestVault
const open: HmacBackend[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hardbound-vault-'))
  const pki = await createTestPki()
  ca = pki.caPem
  tls = await pki.issue({ commonName: 'vault', dns: ['localhost'] })
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  vault = await startVault({ tls })
  vault.addKey('transit', 'aws', KEY)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((it) => it.close()))
  await vault.close()
})

async function openVault(init: Partial<OpenVaultHmacInit> = {}): Promise<HmacBackend> {
  const token = vault.addToken()
  const backend = await openVaultHmac({ address: vault.address, ca, key: 'aws', auth: { token }, ...init })
  open.push(backend)
  return backend
}

const wrong = (code: string) => expect.objectContaining({ name: 'HmacBackendError', code })
const paths = () => vault.calls.map(({ what }) => what)

describeHmacBackend('vault', async (key) => {
  const own = await startVault({ tls })
  own.addKey('transit', 'aws', key)
  const auth = { token: own.addToken() }
  const backend = await openVaultHmac({ address: own.address, ca, key: 'aws', auth })
  const close = async () => {
    await backend.close()
    await own.close()
  }
  return { name: backend.name, hmacSha256: backend.hmacSha256, close }
})

describe('openVaultHmac', () => {
  it('is called vault, and has Vault make the HMAC', async () => {
    const backend = await openVault({ knownAnswer: answerOf(KEY) })
    expect(backend.name).toBe('vault')
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    expect(paths().at(-1)).toBe('POST transit/hmac/aws/sha2-256')
  })

  it('uses another mount, and a namespace', async () => {
    vault.addMount('team/keys')
    vault.addKey('team/keys', 'aws', KEY)
    vault.namespaces.add('admin/team')
    const auth = { token: vault.addToken({ namespace: 'admin/team' }) }
    const backend = await openVault({ mount: 'team/keys', namespace: 'admin/team', auth })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    expect(vault.calls.every(({ namespace }) => namespace === 'admin/team')).toBe(true)
  })

  it.each([
    [{ address: 'http://vault.example.com:8200' }, '"address" must begin with https://'],
    [{ address: 'http://127.0.0.1:8200' }, '"address" must begin with https://'],
    [{ address: 'http://vault.example.com', dangerouslyAllowPlaintextEndpoint: true }, '"address" must begin'],
    [{ address: 'https://vault.example.com/v1' }, '"address" must be https://'],
    [{ address: 'https://user:pass@vault.example.com' }, '"address" must be https://'],
    [{ address: [] }, '"address" is empty'],
    [{ key: '../sys/seal' }, '"key" must be'],
    [{ key: 'a/b' }, '"key" must be'],
    [{ mount: '../sys' }, '"mount" must be'],
    [{ namespace: 'a\r\nb' }, '"namespace" must be'],
    [{ auth: { token: 'a\nb' } }, '"auth.token"'],
    [{ auth: { appRole: { roleId: '', secretId: 'x' } } }, '"auth.appRole.roleId"'],
    [{ auth: {} as never }, '"auth" must have'],
    [{ keyVersion: 0 }, '"keyVersion"'],
    [{ timeoutMs: 0 }, '"timeoutMs"'],
    [{ maxWaiting: -1 }, '"maxWaiting"'],
    [{ knownAnswer: 'xyz' }, '"knownAnswer"'],
  ] as [Partial<OpenVaultHmacInit>, string][])('refuses %j', async (init, message) => {
    await expect(openVault(init)).rejects.toThrow(message)
    expect(vault.calls).toEqual([])
  })
})

describe('M25 Vault that does not do as usual', () => {
  it('M25 sealed: 503', async () => {
    const backend = await openVault()
    vault.sealed = true
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_UNAVAILABLE'))
    vault.sealed = false
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  })

  it.each([429, 473, 472, 503, 412, 500])('M25 a standby that says %i: the next node is asked', async (status) => {
    const standby = await vault.startStandby({ status })
    const backend = await openVault({ address: [standby.address, vault.address] })
    const hits = standby.hits
    expect(hits).toBeGreaterThan(0)
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    expect(standby.hits).toBe(hits) // the node that answered is asked first from then on
  })

  it.each([429, 473])('M25 nothing but standbys that say %i', async (status) => {
    const { address } = await vault.startStandby({ status })
    await expect(openVault({ address })).rejects.toEqual(wrong('ERR_HMAC_UNAVAILABLE'))
  })

  it('M25 a node that is not there, and one that hangs: the next is asked', async () => {
    const gone = await startVault({ tls })
    await gone.close()
    const hanging = await startVault({ tls })
    hanging.fault = () => true
    const backend = await openVault({ address: [gone.address, hanging.address, vault.address], timeoutMs: 900 })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    await hanging.close()
  })

  it('M25 a redirect to the active node is followed where that was configured', async () => {
    const standby = await vault.startStandby()
    const backend = await openVault({ address: [standby.address, vault.address] })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    expect(standby.hits).toBe(1)
  })

  it('M25 a redirect elsewhere gets no token', async () => {
    const standby = await vault.startStandby()
    const token = vault.addToken()
    const error = await errorOf(openVault({ address: standby.address, auth: { token } }))
    expect(error).toEqual(wrong('ERR_HMAC_UNTRUSTED'))
    expect(textOf(error)).not.toContain(token)
    expect(vault.calls).toEqual([])
  })

  it.each(['/v1/sys/seal', 'https://[', 'javascript:alert(1)'])(
    'M25 a redirect to %s is not followed',
    async (location) => {
      const standby = await vault.startStandby({ location })
      await expect(openVault({ address: standby.address })).rejects.toEqual(wrong('ERR_HMAC_UNTRUSTED'))
    },
  )

  it('M25 nodes that redirect in circles', async () => {
    const standby = await vault.startStandby()
    vault.fault = (req, res) => {
      res.writeHead(307, { location: `${standby.address}${req.url}` })
      return answered(res)
    }
    await expect(openVault({ address: [standby.address, vault.address] })).rejects.toEqual(
      wrong('ERR_HMAC_UNAVAILABLE'),
    )
  })

  it('M25 permission denied', async () => {
    const backend = openVault({ auth: { token: vault.addToken({ keys: ['other'] }) } })
    await expect(backend).rejects.toEqual(wrong('ERR_HMAC_DENIED'))
  })

  it('M25 an expired or revoked token, and no error shows it', async () => {
    const token = vault.addToken()
    const backend = await openVault({ auth: { token } })
    vault.revokeToken(token)
    const error = await errorOf(backend.hmacSha256(DAY))
    expect(error).toEqual(wrong('ERR_HMAC_DENIED'))
    expect(textOf(error)).not.toContain(token)
  })

  it('M25 a rotated key: refused, unless its version was named', async () => {
    const [latest, pinned] = [await openVault(), await openVault({ keyVersion: 1 })]
    vault.rotate('transit', 'aws')
    await expect(latest.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    expect(hex(await pinned.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    vault.setMinEncryptionVersion('transit', 'aws', 2)
    await expect(pinned.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_KEY'))
  })

  it('M15 another key than the one enrolled', async () => {
    vault.addKey('transit', 'aws', Buffer.alloc(44, 1))
    await expect(openVault({ knownAnswer: answerOf(KEY) })).rejects.toEqual(wrong('ERR_HMAC_KNOWN_ANSWER'))
  })

  it.each([
    'vault:v1:',
    'vault:v1:AAAA',
    `vault:v1:${Buffer.alloc(31).toString('base64')}`,
    `vault:v1:${Buffer.alloc(33).toString('base64')}`,
    `vault:v0:${Buffer.alloc(32).toString('base64')}`,
    `vault:v01:${Buffer.alloc(32).toString('base64')}`,
    `vault:v1:${'A'.repeat(42)}B=`,
    `vault:${Buffer.alloc(32).toString('base64')}`,
    ` vault:v1:${Buffer.alloc(32).toString('base64')}`,
    undefined,
    7,
    {},
  ])('M25 malformed value %j', async (hmac) => {
    const backend = await openVault()
    vault.lie = { hmac }
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_RESPONSE'))
  })

  it.each([
    ['{"data":', 200],
    ['[]', 200],
    ['null', 200],
    ['{}', 200],
    ['<html>', 200],
    ['{}', 204],
    ['{}', 418],
  ])('M25 answer %j with status %i', async (body, status) => {
    const backend = await openVault()
    vault.fault = (_, res) => answered(res, status, status === 204 ? undefined : body)
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_RESPONSE'))
  })

  it('M25 an answer without an end is cut off', async () => {
    const backend = await openVault()
    vault.fault = (_, res) => {
      res.writeHead(200)
      const more = (): void => {
        if (!res.destroyed) setImmediate(more)
        res.write('x'.repeat(16_384))
      }
      more()
      return true
    }
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_RESPONSE'))
  })

  it('M25 a missing namespace, mount or key', async () => {
    await expect(openVault({ namespace: 'nobody' })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    const auth = { appRole: { roleId: 'role', secretId: 'secret' } }
    await expect(openVault({ namespace: 'nobody', auth })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    await expect(openVault({ mount: 'nowhere' })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    await expect(openVault({ key: 'nothing' })).rejects.toEqual(wrong('ERR_HMAC_KEY'))
  })

  it('M25 slow: each call has its deadline', async () => {
    const backend = await openVault({ timeoutMs: 200 })
    vault.delayMs = 60_000
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_TIMEOUT'))
  })

  it('M25 connections that break: not HTTP, 101, no answer', async () => {
    const backend = await openVault({ timeoutMs: 2000 })
    vault.fault = (req) => req.socket.destroy() !== undefined
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_UNAVAILABLE'))
    vault.fault = (req) => req.socket.end('HTTP/1.1 200 OK\r\nbad header\r\n\r\n') !== undefined
    const error = await errorOf(backend.hmacSha256(DAY))
    expect(error).toEqual(wrong('ERR_HMAC_RESPONSE'))
    expect(error.cause).toBeUndefined()
    vault.fault = (req) =>
      req.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_UNAVAILABLE'))
  })

  it('a certificate of a stranger', async () => {
    const { caPem } = await createTestPki()
    await expect(openVault({ ca: caPem })).rejects.toEqual(wrong('ERR_HMAC_UNTRUSTED'))
    const [, port] = /:(\d+)$/.exec(vault.address)!
    await expect(openVault({ address: `https://127.0.0.1:${port}` })).rejects.toEqual(wrong('ERR_HMAC_UNTRUSTED'))
    expect(vault.calls).toEqual([])
  })

  it('T17 NODE_TLS_REJECT_UNAUTHORIZED=0 does not let a stranger in', async () => {
    const { caPem } = await createTestPki()
    await withRealEnv({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, async () => {
      await expect(openVault({ ca: caPem })).rejects.toEqual(wrong('ERR_HMAC_UNTRUSTED'))
    })
    expect(vault.calls).toEqual([])
  })

  it('plain HTTP only on loopback and only when asked', async () => {
    const plain = await startVault()
    plain.addKey('transit', 'aws', KEY)
    const init = { address: plain.address, auth: { token: plain.addToken() }, dangerouslyAllowPlaintextEndpoint: true }
    const backend = await openVaultHmac({ key: 'aws', ...init })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    await backend.close()
    await plain.close()
  })

  it('M27 a slow Vault: a bounded queue, first come first served', async () => {
    const backend = await openVault({ maxWaiting: 20 })
    vault.delayMs = 30
    const calls = await Promise.allSettled(Array.from({ length: 200 }, () => backend.hmacSha256(DAY)))
    const codes = calls.map((it) => (it.status === 'fulfilled' ? 'ok' : (it.reason as { code: string }).code))
    expect(codes).toEqual([...Array<string>(28).fill('ok'), ...Array<string>(172).fill('ERR_HMAC_OVERLOADED')])
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  })

  it('M22 forgets all signing keys when it is closed, and when another version of the key answers', async () => {
    for (const end of [
      (it: HmacBackend) => it.close(),
      (it: HmacBackend) => {
        vault.rotate('transit', 'aws')
        return expect(it.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_KEY'))
      },
    ]) {
      const backend = await openVault()
      await signsWithoutAsking(backend)
      await end(backend)
      await expect(signWith(backend)).rejects.toEqual(expect.objectContaining({ name: 'HmacBackendError' }))
    }
  })

  it('ends what is under way on close', async () => {
    const backend = await openVault()
    vault.fault = () => true
    const call = backend.hmacSha256(DAY)
    await backend.close()
    await expect(call).rejects.toEqual(wrong('ERR_HMAC_CLOSED'))
  })

  it('gives up for a caller in the middle', async () => {
    const backend = await openVault()
    const controller = new AbortController()
    vault.fault = () => {
      controller.abort()
      return true
    }
    const call = backend.hmacSha256(DAY, { signal: controller.signal })
    await expect(call).rejects.toEqual(wrong('ERR_HMAC_ABORTED'))
  })
})

describe('logins', () => {
  const approle = (secretId: string | Uint8Array = 'secret') => ({ appRole: { roleId: 'role', secretId } })

  it('AppRole: one login for callers that arrive together', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret' })
    const backend = await openVault({ auth: approle(Buffer.from('secret')) })
    await Promise.all(Array.from({ length: 20 }, () => backend.hmacSha256(DAY)))
    expect(paths().filter((it) => it.includes('login'))).toEqual(['POST auth/approle/login'])
  })

  it('AppRole: the secret may come from a file; a wrong one is refused, and no error shows it', async () => {
    vault.addAppRole({ roleId: 'role', secretId: 'secret' })
    const secretIdFile = join(folder, 'secret-id')
    await writeFile(secretIdFile, 'secret\n', { mode: 0o600 })
    const auth = { appRole: { roleId: 'role', secretIdFile } }
    expect(hex(await (await openVault({ auth })).hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    await writeFile(secretIdFile, 'not-the-secret-id')
    const error = await errorOf(openVault({ auth }))
    expect(error).toEqual(wrong('ERR_HMAC_DENIED'))
    expect(textOf(error)).not.toContain('not-the-secret-id')
  })

  it('Kubernetes: shows the token of the service account, read anew for each login', async () => {
    const subject = 'system:serviceaccount:prod:signer'
    vault.addKubernetesRole({ role: 'signer', subject, audience: 'vault' })
    const jwtFile = join(folder, 'jwt')
    const auth = { kubernetes: { role: 'signer', jwtFile } }
    await writeFile(jwtFile, vault.serviceAccountToken({ subject, audience: 'vault' }))
    const backend = await openVault({ auth })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
    for (const other of [
      vault.serviceAccountToken({ subject: 'system:serviceaccount:prod:other', audience: 'vault' }),
      vault.serviceAccountToken({ subject }),
      vault.serviceAccountToken({ subject, audience: 'vault', expiresInSeconds: -1 }),
      `${vault.serviceAccountToken({ subject, audience: 'vault' }).slice(0, -8)}AAAAAAAA`,
    ]) {
      await writeFile(jwtFile, other)
      const error = await errorOf(openVault({ auth }))
      expect(error).toEqual(wrong('ERR_HMAC_DENIED'))
      expect(textOf(error)).not.toContain(other)
    }
  })

  it('a token file that Vault Agent has written anew', async () => {
    const tokenFile = join(folder, 'token')
    const first = vault.addToken()
    await writeFile(tokenFile, `${first}\n`, { mode: 0o600 })
    const backend = await openVault({ auth: { tokenFile } })
    vault.revokeToken(first)
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_DENIED'))
    await writeFile(tokenFile, vault.addToken())
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  })

  it.each([0o666, 0o640, 0o604])('M13 a token file or secret id of mode %o, at open and later', async (mode) => {
    const file = join(folder, 'open-to-others')
    await writeFile(file, vault.addToken())
    await chmod(file, mode)
    await expect(openVault({ auth: { tokenFile: file } })).rejects.toThrow('is open to others')
    await expect(openVault({ auth: { appRole: { roleId: 'role', secretIdFile: file } } })).rejects.toEqual(
      wrong('ERR_HMAC_DENIED'),
    )
    await chmod(file, 0o600)
    const token = vault.addToken()
    await writeFile(file, token)
    const backend = await openVault({ auth: { tokenFile: file } })
    vault.revokeToken(token)
    await writeFile(file, vault.addToken())
    await chmod(file, mode)
    await expect(backend.hmacSha256(DAY)).rejects.toThrow('is open to others')
    await chmod(file, 0o600)
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  })

  it('M13 a FIFO, a device and a folder in place of a credential end at once', async () => {
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', ['-m', '600', fifo])
    for (const path of [fifo, '/dev/zero', folder]) {
      for (const auth of [
        { tokenFile: path },
        { appRole: { roleId: 'role', secretIdFile: path } },
        { kubernetes: { role: 'signer', jwtFile: path } },
      ])
        await expect(openVault({ auth })).rejects.toThrow('is not a regular file')
    }
  })

  it('M13 a token file that became a FIFO does not stop the backend once it is repaired', async () => {
    const tokenFile = join(folder, 'repaired')
    const token = vault.addToken()
    await writeFile(tokenFile, token, { mode: 0o600 })
    const backend = await openVault({ auth: { tokenFile } })
    vault.revokeToken(token)
    await rm(tokenFile)
    execFileSync('mkfifo', ['-m', '600', tokenFile])
    await expect(backend.hmacSha256(DAY)).rejects.toEqual(wrong('ERR_HMAC_DENIED'))
    await rm(tokenFile)
    await writeFile(tokenFile, vault.addToken(), { mode: 0o600 })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  })

  it("M13 a service account's token is a link to a file that others may read", async () => {
    const subject = 'system:serviceaccount:prod:signer'
    vault.addKubernetesRole({ role: 'signer', subject })
    const jwtFile = join(folder, 'linked-jwt')
    await writeFile(join(folder, 'data-jwt'), vault.serviceAccountToken({ subject }), { mode: 0o644 })
    await symlink('data-jwt', jwtFile)
    const backend = await openVault({ auth: { kubernetes: { role: 'signer', jwtFile } } })
    expect(hex(await backend.hmacSha256(DAY))).toBe(tagOf(KEY, DAY))
  })

  it('files that are missing, empty or far too long', async () => {
    const tokenFile = join(folder, 'odd')
    await expect(openVault({ auth: { tokenFile } })).rejects.toEqual(wrong('ERR_HMAC_DENIED'))
    for (const content of ['', ' \n', 'a b', 'x'.repeat(20_000)]) {
      await writeFile(tokenFile, content, { mode: 0o600 })
      await expect(openVault({ auth: { tokenFile } })).rejects.toEqual(wrong('ERR_HMAC_DENIED'))
    }
  })
})
