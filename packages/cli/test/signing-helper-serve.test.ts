import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { createServer } from 'node:net'
import { awsError, withCredentials } from '@hardbound/testkit/roles-anywhere'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { helper, type Lab, makeLab, messagesOf, type RunningHelper, startHelper } from './signing-helper.ts'

const TOKEN = '/latest/api/token'
const ROLES = '/latest/meta-data/iam/security-credentials'
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds'

let lab: Lab
const running: RunningHelper[] = []
beforeAll(async () => {
  lab = await makeLab()
})
afterAll(() => lab?.close())
beforeEach(() => lab.reset())
afterEach(async () => {
  await Promise.all(running.splice(0).map((it) => it.stop('SIGKILL')))
})

/** Starts `serve` on a free port, and waits for both of its lines. */
async function serve(flags: readonly string[] = []) {
  const server = startHelper(['serve', '--port', '0', ...lab.flags(), ...flags])
  running.push(server)
  const [, endpoint = '', port = ''] = await server.logged(
    /export AWS_EC2_METADATA_SERVICE_ENDPOINT=(http:\/\/127\.0\.0\.1:(\d+)\/)$/,
  )
  return { ...server, endpoint, port: Number(port) }
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

function ask(port: number, method: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    request.once('error', reject).end()
  })
}

async function tokenOf(port: number, ttl = '60'): Promise<Record<string, string>> {
  const { body } = await ask(port, 'PUT', TOKEN, { [TTL]: ttl })
  return { 'x-aws-ec2-metadata-token': body }
}

describe('aws_signing_helper serve', () => {
  it('I08 gives role and credentials for a token, with and without a slash at the end', async () => {
    const { port, stop, logs } = await serve()
    const before = Date.now()
    for (const path of [TOKEN, `${TOKEN}/`]) {
      const token = await ask(port, 'PUT', path, { 'X-AWS-EC2-Metadata-Token-TTL-Seconds': '60' })
      expect(token).toMatchObject({
        status: 200,
        headers: { [TTL]: '60', 'content-type': 'text/plain; charset=utf-8' },
      })
      expect(token.body).toMatch(/^[A-Za-z0-9+/]{100}$/)
    }
    const token = await tokenOf(port)
    for (const path of [ROLES, `${ROLES}/`]) {
      const roles = await ask(port, 'GET', path, token)
      expect(roles).toMatchObject({ status: 200, body: 'reader' })
      expect(Number(roles.headers[TTL])).toBeGreaterThan(50)
    }
    for (const path of [`${ROLES}/reader`, `${ROLES}/reader/`]) {
      const { status, headers, body } = await ask(port, 'GET', path, token)
      expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'text/plain; charset=utf-8' })
      expect(Number(headers[TTL])).toBeGreaterThan(50)
      const credentials = JSON.parse(body) as Record<string, string>
      expect(body.endsWith('\n')).toBe(true)
      expect(Object.keys(credentials)).toEqual([
        ...['AccessKeyId', 'SecretAccessKey', 'Token', 'Code', 'Type', 'Expiration', 'LastUpdated'],
      ])
      expect(credentials).toMatchObject({
        Code: 'Success',
        Type: 'AWS-HMAC',
        Expiration: expect.stringMatching(/\d\dZ$/),
      })
      expect(Date.parse(credentials.Expiration ?? '')).toBeGreaterThan(before)
    }
    expect(lab.service.calls).toHaveLength(1)
    expect(await stop()).toBe(0)
    expect(logs()).not.toContain(token['x-aws-ec2-metadata-token'])
  })

  it('says where it is, and how to find it', async () => {
    const { logs, port, stop } = await serve()
    expect(messagesOf(logs())).toEqual([
      `Local server started on port: ${port}`,
      `export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:${port}/`,
    ])
    expect(await stop('SIGINT')).toBe(0)
    expect(messagesOf(logs()).at(-1)).toBe('SIGINT: requests under way have 5 seconds')
  })

  it('I10 refuses as the original does', async () => {
    const { port } = await serve()
    const token = await tokenOf(port)
    expect(await ask(port, 'GET', ROLES)).toMatchObject({ status: 401, body: 'no token provided' })
    const wrong = { 'x-aws-ec2-metadata-token': 'x'.repeat(100) }
    expect(await ask(port, 'GET', ROLES, wrong)).toMatchObject({ status: 401, body: 'invalid token provided' })
    for (const ttl of ['0', '21601', 'abc', '-5', '1.5']) {
      expect(await ask(port, 'PUT', TOKEN, { [TTL]: ttl })).toMatchObject({ status: 400, body: 'invalid token TTL' })
    }
    expect(await ask(port, 'PUT', TOKEN)).toMatchObject({ status: 200, headers: { [TTL]: '21600' } })
    expect(await ask(port, 'PUT', TOKEN, { 'X-Forwarded-For': '192.0.2.1' })).toMatchObject({
      status: 400,
      body: 'unable to process requests with X-Forwarded-For header',
    })
    for (const [method, path] of [
      ['GET', TOKEN],
      ['POST', TOKEN],
      ['HEAD', ROLES],
      ['PUT', ROLES],
      ['POST', `${ROLES}/reader`],
    ] as const) {
      expect(await ask(port, method, path, token)).toMatchObject({ status: 405, body: '' })
    }
    for (const path of ['/', '/latest/meta-data/placement/region', `${ROLES}-extended/`, `${ROLES}/other`]) {
      expect(await ask(port, 'GET', path, token)).toMatchObject({ status: 404 })
    }
  })

  it('I01 I03 answers no web page, whatever name it has for this machine', async () => {
    const { port } = await serve()
    const token = await tokenOf(port)
    const headers = { ...token, Host: 'attacker.example.com:9911' }
    expect(await ask(port, 'GET', ROLES, headers)).toMatchObject({ status: 403 })
    expect(await ask(port, 'PUT', TOKEN, { Host: 'attacker.example.com' })).toMatchObject({ status: 403 })
    expect(await ask(port, 'GET', ROLES, { ...token, Origin: 'https://example.com' })).toMatchObject({ status: 403 })
  })

  it('is where the AWS CLI finds its credentials', async () => {
    const { endpoint } = await serve()
    const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint }
    const { code, stdout, stderr } = await lab.awsCli(['sts', 'get-caller-identity', '--output', 'json'], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Arn: expect.stringContaining(':assumed-role/reader/') })
    expect(await lab.awsCli(['s3', 'ls', 's3://reports'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('june.csv'),
    })
  })

  it('does not start without a first session', async () => {
    lab.service.fault = awsError(403, 'AccessDeniedException', { message: 'no', headers: { 'x-amzn-requestid': 'r' } })
    const { code, stdout, stderr } = await helper(['serve', '--port', '0', ...lab.flags()])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(messagesOf(stderr)).toEqual([
      'operation error RolesAnywhere: CreateSession, https response error StatusCode: 403, RequestID: r, AccessDeniedException: no',
    ])
  })

  it('I21 takes no other port than it was told', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    const { code, stderr } = await helper(['serve', '--port', String(port), ...lab.flags()])
    other.close()
    expect(code).toBe(1)
    expect(messagesOf(stderr)).toEqual([expect.stringMatching(/\[ERR_SERVER_ADDRESS_IN_USE\]$/)])
  })

  it('I15 I16 serves the last session while there is no new one, then nothing', async () => {
    lab.service.answer = withCredentials({ expiration: new Date(Date.now() + 6_000).toISOString() })
    const server = await serve()
    lab.service.answer = undefined
    lab.service.fault = awsError(403, 'AccessDeniedException', { message: 'not now' })
    const token = await tokenOf(server.port)
    const first = await ask(server.port, 'GET', `${ROLES}/reader`, token)
    expect(first.status).toBe(200)
    await server.logged(/AccessDeniedException: not now/)
    expect((await ask(server.port, 'GET', `${ROLES}/reader`, token)).body).toBe(first.body)
    for (let status = 200; status !== 503; ) {
      const { status: now, body } = await ask(server.port, 'GET', `${ROLES}/reader`, token)
      if (now === 200) expect(body).toBe(first.body)
      else expect(now).toBe(503)
      status = now
    }
  }, 20_000)

  it('S11 picks up a renewed certificate', async () => {
    for (const end of ['crt', 'key']) await copyFile(lab.at(`ec.${end}`), lab.at(`renewed.${end}`))
    lab.service.shortenSessionsTo = 2
    const server = startHelper(['serve', '--port', '0', ...lab.flags(), ...lab.pair('renewed')])
    running.push(server)
    await server.logged(/export/)
    await Promise.all(['crt', 'key'].map((end) => copyFile(lab.at(`rsa.${end}`), lab.at(`renewed.${end}`))))
    while (!lab.service.calls.some(({ algorithm }) => algorithm === 'AWS4-X509-RSA-SHA256')) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(lab.service.calls.map(({ algorithm }) => algorithm)).toContain('AWS4-X509-ECDSA-SHA256')
    expect(await server.stop()).toBe(0)
  }, 20_000)

  it('takes --hop-limit, and says that it has no effect', async () => {
    const { logs } = await serve(['--hop-limit', '1'])
    expect(messagesOf(logs())[0]).toMatch(/^warning: --hop-limit has no effect/)
    for (const [flag, value] of [
      ['--hop-limit', '0'],
      ['--hop-limit', '256'],
      ['--port', '65536'],
      ['--port', '-1'],
      ['--allow-uid', 'me'],
      ['--allow-uid', '1,'],
    ] as const) {
      const { code, stderr } = await helper(['serve', ...lab.flags(), flag, value])
      expect({ code, about: messagesOf(stderr)[0]?.startsWith(`${flag} must be`) }).toEqual({ code: 1, about: true })
    }
  })

  it('I20 answers other users only where --allow-uid says so', async () => {
    const isRoot = process.getuid?.() === 0 // only root can be somebody else
    const uid = isRoot ? 65_534 : (process.getuid?.() ?? 0)
    const open = await serve(['--allow-uid', `1,${uid}`])
    expect(await putAs(uid, open.port)).toMatch(/^200 [A-Za-z0-9+/]{100}$/)
    if (isRoot) {
      const closed = await serve()
      expect(await putAs(uid, closed.port)).toMatch(/^403 /)
      await closed.logged(/user 65534 was refused; --allow-uid 65534 lets it in/)
    }
  })
})

/** Asks for a token as another user: status and body. */
async function putAs(uid: number, port: number): Promise<string> {
  const code = `fetch('http://127.0.0.1:${port}${TOKEN}', { method: 'PUT' })
    .then(async (it) => process.stdout.write(it.status + ' ' + await it.text()))`
  const child = spawn(process.execPath, ['-e', code], { uid, env: {}, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await once(child, 'close')
  return text
}
