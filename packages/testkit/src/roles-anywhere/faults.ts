import { randomUUID } from 'node:crypto'
import type { Fault } from '../internal/http.ts'

const JSON_HEADERS = { 'content-type': 'application/json' }

/** An error of the service, whatever was asked: code in `X-Amzn-ErrorType`, message in the body. */
export function awsError(
  status: number,
  code: string,
  {
    message = 'An error the test asked for',
    headers = {},
  }: { message?: string; headers?: Record<string, string> } = {},
): Fault {
  return (_req, res) => {
    res.writeHead(status, {
      ...JSON_HEADERS,
      date: new Date().toUTCString(),
      'x-amzn-requestid': randomUUID(),
      'x-amzn-errortype': code,
      ...headers,
    })
    res.end(JSON.stringify({ message }))
  }
}

/** HTTP 429 as API Gateway throttles; with `Retry-After` where seconds are given. */
export function throttled(retryAfterSeconds?: number): Fault {
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return awsError(429, 'TooManyRequestsException', { message: 'Rate exceeded', headers })
}

/** A status with a body that is not JSON, as a gateway or proxy answers. */
export function plainPage(status: number, contentType = 'text/html', body = `<h1>${status}</h1>`): Fault {
  return (_req, res) => void res.writeHead(status, { 'content-type': contentType }).end(body)
}

/** A redirect. 307 and 308 ask for the same request again, there. */
export function redirects(status: 301 | 302 | 307 | 308, location: string): Fault {
  return (_req, res) => void res.writeHead(status, { location }).end()
}

/** Takes the request and says nothing more: before the headers, or amid the body. */
export function hangs(where: 'headers' | 'body'): Fault {
  return (_req, res) => {
    if (where === 'body') res.writeHead(201, JSON_HEADERS).write('{"credentialSet":[')
  }
}

/** Ends the connection: before the headers, or amid a body whose length was announced. */
export function resets(where: 'headers' | 'body'): Fault {
  return (_req, res) => {
    if (where === 'headers') return void res.destroy()
    res.writeHead(201, { ...JSON_HEADERS, 'content-length': '4096' })
    res.write('{"credentialSet":[', () => res.destroy())
  }
}

/** A body of so many octets: JSON in form, one long string in it. */
export function hugeBody(octets: number, status = 201): Fault {
  return (_req, res) => {
    const [start, end] = ['{"subjectArn":"', '"}']
    res.writeHead(status, { ...JSON_HEADERS, 'content-length': String(octets) })
    res.end(start + 'x'.repeat(octets - start.length - end.length) + end)
  }
}
