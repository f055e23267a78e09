import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ATTACKER_ADDRESS, type Attempt, startAttacker } from './attacker.ts'
import { type AwsTestServer, ROLE, SECRET, startAwsServer } from './aws-helpers.ts'
import { openInBrowser } from './browser.ts'
import { startDns } from './dns-over-https.ts'
import { HEADER, type TestCredential, testCredential } from './helpers.ts'

const NAME = 'rebind.example.com'
const VISIT_MS = 90_000

interface Visit {
  attempts: Attempt[]
  /** What the DNS said of the page's name, in order. */
  addresses: string[]
}

/**
 * A browser opens the attacker's page at `rebind.example.com`, whose address is 127.0.0.1 as soon as the page is loaded. The DNS is
 * one: the browser asks it over HTTPS, TTL 1 s; no proxy, no rule of the browser's for names. The page knows the secrets, so that
 * nothing but the gate is in its way.
 */
async function visit(port: number): Promise<Visit> {
  const rebound = new Set<string>()
  const dns = await startDns((name) => {
    if (rebound.has(name)) return '127.0.0.1'
    return name.endsWith('.example.com') ? ATTACKER_ADDRESS : undefined
  })
  const closers = [dns.close]
  try {
    const attacker = await startAttacker(port, (name) => rebound.add(name))
    closers.push(attacker.close)
    // Names of this computer that need no DNS.
    const bases = ['127.0.0.1', 'localhost', '0.0.0.0', 'app.localhost'].map((it) => `http://${it}:${port}`)
    const query = new URLSearchParams({ role: ROLE, secret: SECRET, identity: HEADER, bases: bases.join(' ') })
    const browser = await openInBrowser(`http://${NAME}:${port}/?${query}`, dns)
    closers.push(browser.close)
    const attempts = await Promise.race([attacker.report, browser.failed(VISIT_MS)])
    return { attempts, addresses: dns.answers.filter(({ name }) => name === NAME).map((it) => it.address) }
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

/** The same server without its gate: a proxy that takes away all that shows a web page. */
async function startUngated(target: number): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(({ method, url, headers }, response) => {
    const kept = Object.entries(headers).filter(
      ([name]) => !/^(?:host|origin|referer|sec-.*|content-.*|upgrade)$/.test(name),
    )
    const headersToSend = { ...Object.fromEntries(kept), connection: 'close' }
    request({ host: '127.0.0.1', port: target, method, path: url, headers: headersToSend }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    }).end()
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}

interface Exchange {
  method: string | undefined
  host: string | undefined
  status: number
  headers: string[]
}

/** All that a server of this process answers at a port of 127.0.0.1. */
function watch(port: number): { exchanges: Exchange[]; stop(): void } {
  const exchanges: Exchange[] = []
  const onFinish = (message: unknown): void => {
    const { request, response, socket } = message as {
      request: IncomingMessage
      response: ServerResponse
      socket: Socket
    }
    if (socket.localPort !== port || socket.localAddress !== '127.0.0.1') return
    const { method, headers } = request
    exchanges.push({ method, host: headers.host, status: response.statusCode, headers: response.getHeaderNames() })
  }
  subscribe('http.server.response.finish', onFinish)
  return { exchanges, stop: () => unsubscribe('http.server.response.finish', onFinish) }
}

let credential: TestCredential
let target: AwsTestServer
beforeAll(async () => {
  credential = testCredential()
  target = await startAwsServer({ azure: { credential, identityHeader: HEADER, imds: true } })
})
afterAll(() => target.server.close())

describe('I04 a page in Chromium, before and after its name is rebound to 127.0.0.1', () => {
  it('reads nothing but refusals', async () => {
    const { exchanges, stop } = watch(target.port)
    const { attempts, addresses } = await visit(target.port).finally(stop)
    expect([...new Set(addresses)]).toEqual([ATTACKER_ADDRESS, '127.0.0.1'])

    const [rebound, direct] = [attempts.filter((it) => it.isRebound), attempts.filter((it) => !it.isRebound)]
    expect(new Set(direct.map((it) => it.base)).size).toBe(4) // I06
    expect(direct.filter((it) => it.read !== '')).toEqual([])
    expect(rebound.length).toBeGreaterThan(15)
    const refusal = '{"error":"access_denied","error_description":"this host is not served here"}'
    expect(new Set(rebound.flatMap((it) => it.read.split('\n')))).toEqual(new Set(['', refusal]))
    expect(JSON.stringify(attempts)).not.toContain('canary')

    // 400: a WebSocket. 408: a connection that Chromium opens in advance, and never uses.
    expect(exchanges.length).toBeGreaterThan(60)
    expect(exchanges.filter(({ status }) => status !== 403 && status !== 405 && status !== 400)).toEqual([])
    expect(exchanges.flatMap((it) => it.headers).filter((it) => it.startsWith('access-control-'))).toEqual([])
    expect(exchanges).toContainEqual(
      expect.objectContaining({ method: 'PUT', host: `${NAME}:${target.port}`, status: 403 }),
    )
    const preflights = exchanges.filter(({ method }) => method === 'OPTIONS')
    expect(preflights.length).toBeGreaterThan(0) // I06
    const reasons = new Set(target.events.map(({ type, reason, status }) => `${type} ${reason} ${status}`))
    expect([...reasons].sort()).toEqual(expect.arrayContaining(['refused browser 403', 'refused host 403']))
    for (const it of reasons) expect(it).toMatch(/^refused (?:host 403|browser 403|malformed 40[08])$/)
    expect(credential.scopes).toEqual([])
  }, 120_000)

  it('reads everything where there is no gate: the attack is one', async () => {
    const ungated = await startUngated(target.port)
    const { attempts, addresses } = await visit(ungated.port).finally(ungated.close)
    expect([...new Set(addresses)]).toEqual([ATTACKER_ADDRESS, '127.0.0.1'])
    const stolen = attempts.filter((it) => it.isRebound && it.read.includes('canary')).map((it) => it.way)
    expect(stolen).toEqual([
      'IMDSv2: PUT with a header, then GET',
      'container, with its secret',
      'App Service, with its secret',
      'Azure IMDS',
      'XMLHttpRequest',
      'preflight for a private network',
    ])
  }, 120_000)
})
