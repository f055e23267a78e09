import { createServer, type Server } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { createTestPki, type IssueOptions, type TestPki } from '@hardbound/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { brokerCheck } from '../src/doctor/broker-check.ts'
import { clockCheck } from '../src/doctor/clock-check.ts'
import { contextOf, lines } from './doctor-context.ts'
import { type Folder, makeFolder } from './helpers.ts'

const DAY_MS = 86_400_000
let folder: Folder
let pki: TestPki
let ca: string
let otherCa: string
const servers: Server[] = []
beforeAll(async () => {
  ;[folder, pki] = await Promise.all([makeFolder(), createTestPki()])
  ca = await folder.write('ca.pem', pki.caPem)
  otherCa = await folder.write('other.pem', (await createTestPki()).caPem)
})
afterEach(() => {
  for (const it of servers.splice(0)) it.close()
})
afterAll(() => folder.remove())

interface ServerOptions {
  /** Seconds that its clock is ahead of ours. */
  readonly ahead?: number
  readonly date?: string
  readonly issue?: Partial<IssueOptions>
  readonly maxVersion?: 'TLSv1.2'
}

async function startServer({ ahead = 0, date, issue = {}, ...tls }: ServerOptions = {}) {
  const { certPem, keyPem, spkiSha256 } = await pki.issue({ commonName: 'x', dns: ['localhost'], ...issue })
  const asked: string[] = []
  const server = createServer({ cert: certPem, key: keyPem, ...tls }, (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim())
    response.sendDate = false
    const now = new Date(Date.now() + ahead * 1000).toUTCString()
    if (date !== '') response.setHeader('date', date ?? now)
    response.writeHead(404).end()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `https://localhost:${port}/`, asked, spkiSha256 }
}

describe('clockCheck', () => {
  it.each([
    ['ok', 0, /^ok: the clock is [01] s/],
    ['ok', 29, /^ok: the clock is \d\d s behind/],
    ['warning', 40, /^warning: the clock is \d\d s behind that of localhost/],
    ['warning', -200, /^warning: the clock is \d+ s ahead of/],
    ['problem', -400, /^problem: the clock is \d+ s ahead of .*AWS refuses/],
    ['problem', 86_400, /^problem: the clock is \d+ s behind/],
  ])('S07 is %s at a server that is %i s ahead', async (status, ahead, expected) => {
    const { url, asked } = await startServer({ ahead })
    const findings = await clockCheck(contextOf({ dateFrom: url, ca }))
    expect(lines(findings)).toEqual([expect.stringMatching(expected)])
    if (status !== 'ok') expect(findings[0]?.cure).toBe('sudo timedatectl set-ntp true')
    expect(asked).toEqual(['HEAD /'])
  })

  it('asks the broker, where one is given, with its pin', async () => {
    const { url, asked, spkiSha256 } = await startServer({ ahead: 1000 })
    const findings = await clockCheck(contextOf({ broker: { url, pins: [spkiSha256], where: '' } }))
    expect(lines(findings)).toEqual([expect.stringMatching(/^problem: .*that of the broker/)])
    expect(asked).toEqual(['HEAD /'])
  })

  it.each<[string, ServerOptions, RegExp]>([
    ['has no time', { date: '' }, /does not say what time it has/],
    ['has a time that is none', { date: 'hunter2' }, /does not say what time it has/],
    ['has another name', { issue: { dns: ['other'] } }, /was not reached \(ERR_TLS_CERT_ALTNAME_INVALID\)/],
    ['has an old certificate', { issue: { notAfter: new Date(Date.now() - DAY_MS) } }, /one of the two is wrong/],
  ])('only warns of a server that %s', async (_, options, expected) => {
    const { url } = await startServer(options)
    const [finding, ...more] = await clockCheck(contextOf({ dateFrom: url, ca }))
    expect(finding).toMatchObject({ check: 'clock', status: 'warning', message: expect.stringMatching(expected) })
    expect(more).toEqual([])
  })

  it('trusts no server of another authority', async () => {
    const { url, asked } = await startServer()
    const findings = await clockCheck(contextOf({ dateFrom: url, ca: otherCa }))
    expect(findings).toMatchObject([{ status: 'warning', message: expect.stringContaining('not reached') }])
    expect(asked).toEqual([])
  })

  it('is left out offline', async () => {
    expect(await clockCheck(contextOf({ offline: true }))).toEqual([])
  })
})

describe('brokerCheck', () => {
  it('is content with the right authority and the right pin, and sends nothing', async () => {
    const { url, asked, spkiSha256 } = await startServer()
    const host = new URL(url).host
    expect(lines(await brokerCheck(contextOf({ broker: { url, ca, pins: [spkiSha256], where: '' } })))).toEqual([
      `ok: ${host} answers with TLS 1.3; its chain and its pin are right`,
      expect.stringMatching(/^ok: its certificate is good for 29 more days, until \d{4}-\d\d-\d\d$/),
    ])
    expect(asked).toEqual([])
  })

  it('warns of a certificate that is about to end, or has ended and is trusted by its pin alone', async () => {
    const soon = await startServer({ issue: { notAfter: new Date(Date.now() + 3.5 * DAY_MS) } })
    const [, warning] = await brokerCheck(contextOf({ broker: { url: soon.url, ca, where: '' } }))
    expect(warning).toMatchObject({ status: 'warning', message: expect.stringContaining('ends in 3 days') })
    const { url, spkiSha256 } = await startServer({ issue: { notAfter: new Date(Date.now() - 2 * DAY_MS) } })
    const [, ended] = await brokerCheck(contextOf({ broker: { url, pins: [spkiSha256], where: '' } }))
    expect(ended).toMatchObject({ status: 'warning', message: expect.stringContaining('ended on') })
  })

  it.each<[string, ServerOptions, () => object, RegExp, string]>([
    ['of another authority', {}, () => ({ ca: otherCa }), /is not trusted/, '--ca and --pin'],
    ['with another key', {}, () => ({ ca, pins: ['0'.repeat(64)] }), /none of the pinned/, '--ca and --pin'],
    ['of another name', { issue: { dns: ['other'] } }, () => ({ ca }), /is not trusted/, '--sni'],
    ['past its end', { issue: { notAfter: new Date(Date.now() - DAY_MS) } }, () => ({ ca }), /not trusted/, 'renew'],
    ['without TLS 1.3', { maxVersion: 'TLSv1.2' }, () => ({ ca }), /TLS 1\.3/, 'layer 4'],
  ])('finds a broker %s', async (_, options, trust, message, cure) => {
    const { url } = await startServer(options)
    const findings = await brokerCheck(contextOf({ broker: { url, where: '', ...trust() } }))
    const expected = { status: 'problem', message: expect.stringMatching(message), cure: expect.stringContaining(cure) }
    expect(findings).toEqual([expect.objectContaining(expected)])
  })

  it('says that nobody is there', async () => {
    const { url } = await startServer()
    servers.pop()?.close()
    const findings = await brokerCheck(contextOf({ broker: { url, ca, where: '' } }))
    expect(findings).toMatchObject([{ status: 'problem', cure: expect.stringContaining('firewall') }])
  })

  it('does not wait for one that says nothing', async () => {
    const sockets = new Set<{ destroy(): void }>()
    const server = createTcpServer((socket) => void sockets.add(socket.on('error', () => {})))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `https://localhost:${(server.address() as AddressInfo).port}`
    expect(await brokerCheck(contextOf({ broker: { url, ca, where: '' } }))).toMatchObject([{ status: 'problem' }])
    for (const it of sockets) it.destroy()
    await new Promise((resolve) => server.close(resolve))
  }, 10_000)

  it('finds brokers in profiles, each once, and names file and profile', async () => {
    const [one, two] = await Promise.all([startServer(), startServer()])
    const ekm = (url: string) =>
      `credential_process = hardbound aws ekm --broker ${url} --audience x --ca ${ca} --cache\n`
    const go = `credential_process = aws-channel-jwt-process-credential --endpoint=${two.url} -host ${new URL(two.url).host} -trust-ca=${otherCa}\n`
    const config = `[default]\n${ekm(one.url)}[profile again]\n${ekm(one.url)}[profile go]\n${go}[profile none]\nregion = x\n`
    const env = { AWS_CONFIG_FILE: await folder.write('config', config) }
    const findings = lines(await brokerCheck(contextOf({}, { env })))
    expect(findings).toEqual([
      expect.stringMatching(/^ok: localhost:\d+ answers .*config:\d: profile "\w+"\)$/),
      expect.stringMatching(/^ok: its certificate/),
      expect.stringMatching(/^problem: no connection to the broker: .*config:5: profile "go"\)$/),
    ])
    const files = await folder.write(
      'config',
      ekm('https://localhost:1').replace(ca, '/nonexistent').replace('', '[default]\n'),
    )
    expect(await brokerCheck(contextOf({}, { env: { AWS_CONFIG_FILE: files } }))).toMatchObject([
      { status: 'problem', message: expect.stringMatching(/^--ca: \/nonexistent can't be read/) },
    ])
  })

  it('has nothing to look at without one', async () => {
    expect(await brokerCheck(contextOf())).toMatchObject([{ status: 'absent' }])
    expect(await brokerCheck(contextOf({ offline: true }))).toEqual([])
  })
})
