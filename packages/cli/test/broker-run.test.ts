import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { startAws, startIssuer, startLauncher, type TestIssuer } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { AUDIENCE, type Folder, hardbound, makeBroker, makeFolder, ROLE, runBroker, USER } from './helpers.ts'

let folder: Folder
let issuer: TestIssuer
let made: Awaited<ReturnType<typeof makeBroker>>

beforeAll(async () => {
  folder = await makeFolder()
  issuer = await startIssuer()
  made = await makeBroker(folder, { issuer })
})
afterAll(async () => {
  await issuer?.close()
  await folder?.remove()
})

const configure = (changes: object) => folder.write('broker.yaml', JSON.stringify({ ...made.config, ...changes }))
const records = (logs: string) =>
  logs
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('hardbound broker run', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('R05 %s: logs JSON lines, drains, and ends with 0', async (signal) => {
    const broker = await runBroker(await configure({ audit: { file: `audit-${signal}.jsonl` } }))
    expect(await broker.stop(signal)).toBe(0)
    expect(records(broker.logs()).at(-1)).toMatchObject({ msg: 'stopped' })
    const audit = await readFile(`${folder.path}/audit-${signal}.jsonl`, 'utf8')
    expect(audit.trim().split('\n')).toHaveLength(1)
    expect(JSON.parse(audit)).toMatchObject({ event: 'start' })
  })

  it('warns of what weakens it: another source of keys, dangerous options, plain text, Go-v1', async () => {
    const google = { ...made.config.attestation.issuers[0], dangerously_allow_unsupported_images: true }
    const broker = await runBroker(
      await configure({
        attestation: { ...made.config.attestation, issuers: [google] },
        aws: { regions: ['eu-west-1'], endpoint: 'http://127.0.0.1:1' },
        go_v1: {},
      }),
    )
    await broker.stop()
    const warned = records(broker.logs()).filter(({ level }) => level === 40)
    expect(warned.map(({ key }) => key)).toEqual(
      expect.arrayContaining([
        'attestation.issuers[0].jwks_url',
        'attestation.issuers[0].dangerously_allow_unsupported_images',
        'aws.endpoint',
        'go_v1',
      ]),
    )
  })

  it('L10 R11 keeps secrets out of its arguments and logs, and its inspector closed on SIGUSR1', async () => {
    const broker = await runBroker(await configure({}))
    broker.child.kill('SIGUSR1')
    const argv = await readFile(`/proc/${broker.child.pid}/cmdline`, 'utf8')
    expect(await broker.stop()).toBe(0)
    expect(broker.logs()).not.toContain('Debugger')
    expect(argv + broker.logs()).not.toContain(USER.secretAccessKey)
  })

  it.each([
    [
      'T17 NODE_TLS_REJECT_UNAUTHORIZED',
      { env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } },
      'NODE_TLS_REJECT_UNAUTHORIZED',
    ],
    ['T17 NODE_EXTRA_CA_CERTS', { env: { NODE_EXTRA_CA_CERTS: '/nowhere.pem' } }, 'NODE_EXTRA_CA_CERTS'],
    ['T17 SSLKEYLOGFILE', { env: { SSLKEYLOGFILE: '/nowhere.log' } }, 'SSLKEYLOGFILE'],
    ['T17 --tls-keylog', { nodeFlags: ['--tls-keylog=/dev/null'] }, '--tls-keylog'],
    ['R10 NODE_OPTIONS', { env: { NODE_OPTIONS: '--no-deprecation' } }, 'NODE_OPTIONS'],
    ['R10 an open inspector', { nodeFlags: ['--inspect=127.0.0.1:0'] }, 'inspector'],
  ])('%s: refuses to start', async (_, how, named) => {
    const { code, stdout, stderr } = await hardbound(['broker', 'run', '-c', await configure({})], how)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(named)
    expect(stderr).not.toContain('"listening"')
  })

  it('T15 refuses a key that others can read', async () => {
    await folder.write('open-key.pem', made.server.keyPem, 0o644)
    const file = await configure({ tls: { ...made.config.tls, key_file: 'open-key.pem' } })
    const { code, stderr } = await hardbound(['broker', 'run', '-c', file])
    expect(code).toBe(1)
    expect(stderr).toContain('tls.key_file')
  })

  it('R07 says that the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await hardbound(['broker', 'run', '-c', await configure({ listen: { port } })])
    other.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`hardbound: listen: 127.0.0.1 port ${port} is taken\n`)
  })

  it('L13 a second broker with the same configuration leaves the audit log of the first alone', async () => {
    const [aws, launcher] = await Promise.all([startAws(), startLauncher({ issuer })])
    aws.addUser(USER)
    aws.addRole({ arn: ROLE, trusts: [USER.arn] })
    const same = { audit: { file: 'audit-twice.jsonl' }, aws: { ...made.config.aws, endpoint: aws.endpoint } }
    const log = `${folder.path}/audit-twice.jsonl`
    const first = await runBroker(await configure(same))
    try {
      const flags = ['--audience', AUDIENCE, '--ca', made.caFile, '--socket', launcher.socketPath]
      const ask = () => hardbound(['aws', 'ekm', '--broker', first.url, ...flags])
      expect(await ask()).toMatchObject({ code: 0 })

      const before = await readFile(log, 'utf8')
      const port = Number(new URL(first.url).port)
      const second = await hardbound(['broker', 'run', '-c', await configure({ ...same, listen: { port } })])
      expect(second).toMatchObject({ code: 1, stdout: '' })
      expect(second.stderr).toContain(`hardbound: listen: 127.0.0.1 port ${port} is taken\n`)
      expect(await readFile(log, 'utf8')).toBe(before)

      expect(await ask()).toMatchObject({ code: 0, stderr: '' })
      expect(await hardbound(['audit', 'verify', log])).toMatchObject({ code: 0 })
    } finally {
      await first.stop()
      await Promise.all([aws.close(), launcher.close()])
    }
    expect(records(await readFile(log, 'utf8')).map(({ event }) => event)).toEqual([
      ...['start', 'intent', 'grant'],
      ...['intent', 'grant'],
    ])
  })

  it('L13 does not start without its audit log', async () => {
    const { code, stderr } = await hardbound(['broker', 'run', '-c', await configure({ audit: { file: '.' } })])
    expect(code).toBe(1)
    expect(stderr).toContain('audit.file')
    expect(stderr).not.toContain('"listening"')
  })

  it('Y05 starts while the issuer is away', async () => {
    const away = { type: 'google', jwks_url: 'https://127.0.0.1:1/jwks' }
    const broker = await runBroker(await configure({ attestation: { ...made.config.attestation, issuers: [away] } }))
    expect(await broker.stop()).toBe(0)
  })

  it('exit code 2 without a configuration', async () => {
    expect((await hardbound(['broker', 'run'])).code).toBe(2)
  })
})
