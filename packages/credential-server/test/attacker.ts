import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

export const ATTACKER_ADDRESS = '127.0.0.2'

/** What one way of reading gave the page; see `fixtures/attack-page.js`. */
export interface Attempt {
  /** Origin that was asked; empty for the page's own. */
  base: string
  isRebound: boolean
  way: string
  read: string
  error: string
}

export interface Attacker {
  /** What the page could read. */
  readonly report: Promise<Attempt[]>
  close(): Promise<void>
}

/**
 * An attacker's web server: a page, and a place for what it finds out.
 * @param onRebind Called when the page is loaded and its name is to lead elsewhere.
 */
export async function startAttacker(port: number, onRebind: (name: string) => void): Promise<Attacker> {
  const script = readFileSync(new URL('./fixtures/attack-page.js', import.meta.url))
  let onReport: (attempts: Attempt[]) => void
  const report = new Promise<Attempt[]>((resolve) => {
    onReport = resolve
  })
  const server = createServer((request, response) => {
    response.setHeader('connection', 'close') // the next request is to look for the name's address again
    response.setHeader('cache-control', 'no-store')
    const path = request.url?.split('?')[0]
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (path === '/report') onReport(JSON.parse(Buffer.concat(chunks).toString()))
      if (path === '/rebind') onRebind(request.headers.host!.replace(/:\d+$/, ''))
      if (path === '/page.js') response.setHeader('content-type', 'text/javascript')
      if (path === '/') response.setHeader('content-type', 'text/html')
      if (path === '/') response.end('<!doctype html><body><script type="module" src="/page.js"></script>')
      else if (path === '/page.js') response.end(script)
      else response.end(path === '/whoami' ? 'the attacker' : '')
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, ATTACKER_ADDRESS, resolve)
  })
  return {
    report,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}
