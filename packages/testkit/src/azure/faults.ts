import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { type Fault, listen } from '../internal/http.ts'
import { type EntraErrorCode, EntraRefusal, errorBody } from './refusal.ts'

const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8' }

/** HTTP 429 with `Retry-After`, as Entra throttles. */
export function throttled(seconds: number): Fault {
  return entraError('AADSTS90055', { 'retry-after': String(seconds) })
}

/** A refusal with this code, whatever was asked. */
export function entraError(code: EntraErrorCode, headers: Record<string, string> = {}): Fault {
  return (_req, res) => {
    const refusal = new EntraRefusal(code, 'An error the test asked for')
    res.writeHead(refusal.status, { ...JSON_HEADERS, ...headers })
    res.end(JSON.stringify(errorBody(refusal, Date.now(), randomUUID())))
  }
}

/** A page of HTML, as gateways in front of Entra send it. */
export function htmlPage(status: number): Fault {
  return (_req, res) => {
    const page = `<!DOCTYPE html><html><body><h1>${status}</h1></body></html>`
    res.writeHead(status, { 'content-type': 'text/html' }).end(page)
  }
}

/** Takes the request and says nothing more: before the headers, or amid the body. */
export function hangs(where: 'headers' | 'body'): Fault {
  return (_req, res) => {
    if (where === 'body') res.writeHead(200, JSON_HEADERS).write('{"token_type":"Bearer",')
  }
}

/** An authority that takes connections, and never answers the TLS handshake. */
export async function startSilentAuthority(): Promise<{ authorityHost: string; close(): Promise<void> }> {
  const { port, close } = await listen(createServer((socket) => void socket.on('error', () => undefined).resume()))
  return { authorityHost: `https://127.0.0.1:${port}`, close }
}
