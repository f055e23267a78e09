import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'

/** Where to read, and what it may cost. */
export interface HttpsGetInit {
  readonly url: URL
  /** PEM of the only authorities to trust. Default: those of Node. */
  readonly ca: string | Buffer | undefined
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** The body of a 200 answer, and how long it says it stays fresh. */
export interface HttpsGetAnswer {
  readonly body: Buffer
  /** Seconds, from `Cache-Control: max-age` (RFC 9111 §5.2.2.1) less `Age`; `undefined` without one. */
  readonly maxAge: number | undefined
}

/**
 * Reads one document. No redirects, no proxies, no content codings, one deadline for the whole exchange.
 *
 * @throws {Error} whose message holds nothing of the answer but its status.
 */
export async function httpsGet({ url, ca, timeoutMs, maxBytes }: HttpsGetInit): Promise<HttpsGetAnswer> {
  const req = request(url, {
    agent: false,
    // Said outright, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no say in whom we trust.
    rejectUnauthorized: true,
    headers: { accept: 'application/json', 'accept-encoding': 'identity' },
    ...(ca !== undefined && { ca }),
  })
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
      req.on('error', reject)
      // Without a listener Node ends the request in silence: no response, no error.
      req.on('upgrade', () => reject(new Error('another protocol')))
      req.on('response', (response) => {
        response.on('error', reject)
        readBody(response, maxBytes).then((body) => resolve({ body, maxAge: maxAgeOf(response) }), reject)
      })
      req.end()
    })
  } finally {
    clearTimeout(timer)
    req.destroy()
  }
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const { statusCode, headers } = response
  if (statusCode !== 200) throw new Error(`status ${statusCode}`)
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new Error('a content coding')
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`more than ${maxBytes} octets`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function maxAgeOf({ headers }: IncomingMessage): number | undefined {
  const maxAge = /(?:^|[\s,])max-age="?(\d+)/i.exec(headers['cache-control'] ?? '')?.[1]
  if (maxAge === undefined) return undefined
  const age = /^\d+$/.test(headers.age ?? '') ? Number(headers.age) : 0
  return Math.max(0, Number(maxAge) - age)
}
