import type http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { createTestPki } from '@hardbound/testkit'

export const TENANT = '11111111-2222-4333-8444-555555555555'
export const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'
export const SCOPE = 'https://storage.azure.com/.default'
export const CORRELATION = 'aaaaaaaa-1111-4222-8333-bbbbbbbbbbbb'
export const TRACE = 'cccccccc-1111-4222-8333-dddddddddddd'

export type Script = (req: http.IncomingMessage, res: http.ServerResponse, form: URLSearchParams) => void

/** An Entra that answers as it is told, whatever the proof: for faults, which an honest emulator doesn't have. */
export async function startFakeEntra(script: Script, options: https.ServerOptions = {}) {
  const authority = await createTestPki()
  const { certPem: cert, keyPem: key } = await authority.issue({
    commonName: 'entra',
    dns: ['localhost'],
    ip: ['127.0.0.1'],
  })
  const requests: { method: string; url: string; form: URLSearchParams; headers: http.IncomingHttpHeaders }[] = []
  const sockets = { open: 0, total: 0 }
  const fake = {
    authorityHost: '',
    ca: authority.caPem,
    requests,
    sockets,
    script,
    close: () => server.closeAllConnections() ?? server.close(),
  }
  const server = https.createServer({ cert, key, keepAliveTimeout: 60_000, ...options }, (req, res) => {
    let body = ''
    req.on('data', (chunk) => {
      body += String(chunk)
    })
    req.on('end', () => {
      const form = new URLSearchParams(body)
      requests.push({ method: req.method ?? '', url: req.url ?? '', form, headers: req.headers })
      fake.script(req, res, form)
    })
  })
  server.on('secureConnection', (socket) => {
    sockets.open++
    sockets.total++
    socket.once('close', () => sockets.open--)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  fake.authorityHost = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  return fake
}

/** A JWT with these claims, and no signature that anybody could verify. */
export function jwt(claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}.c2lnbmF0dXJl`
}

export const CLAIMS = { tid: TENANT, appid: CLIENT, aud: 'https://storage.azure.com', uti: 'uti-1_EXAMPLE' }
export const TOKEN = jwt(CLAIMS)

/** A token answer; `undefined` leaves a field out. */
export const tokenJson = (changes: object = {}): string =>
  JSON.stringify({ token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: TOKEN, ...changes })

/** An error as Entra writes it, with a description that must not get out. */
export const errorJson = (error: string, code: number): string =>
  JSON.stringify({
    error,
    error_description: `AADSTS${code}: CANARY-DESCRIPTION for app ${CLIENT}. Trace ID: ${TRACE}`,
    error_codes: [code],
    timestamp: '2026-08-22 12:00:00Z',
    trace_id: TRACE,
    correlation_id: CORRELATION,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  })

export function answer(body: string | Uint8Array, status = 200, headers: http.OutgoingHttpHeaders = {}): Script {
  return (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers })
    res.end(body)
  }
}
