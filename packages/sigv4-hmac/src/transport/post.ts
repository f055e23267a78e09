import { request as httpRequest } from 'node:http'
import { withDeadline } from './deadline.ts'
import { dial } from './dial.ts'
import type { HttpAnswer, PostInit } from './load-post.ts'

/** Octets of an answer that are read at most; a real one has about 3 KiB. */
const MAX_ANSWER_OCTETS = 65_536

/** See `Post`. */
export async function post({ target, headers, body, connectTimeoutMs, ...to }: PostInit): Promise<HttpAnswer> {
  const { origin, signal, errorOf } = to
  const socket = await withDeadline(
    {
      timeoutMs: connectTimeoutMs,
      signal,
      onTimeout: () => errorOf('unreachable', `no connection to ${origin.host} within ${connectTimeoutMs} ms`),
      onAbort: () => signal.reason as Error,
    },
    (inner) => dial({ ...to, signal: inner }),
  )
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      createConnection: () => socket,
      method: 'POST',
      path: target,
      headers: { host: origin.host, ...headers, 'content-length': String(Buffer.byteLength(body)) },
      signal,
    })
    const fail = (error: Error): void => {
      reject(error)
      socket.destroy()
    }
    const wrong = (what: string): void => fail(errorOf('response', `${origin.host} ${what}`))
    // The error of Node is left out: one of the HTTP parser holds the answer's octets.
    const onError = ({ code = 'unknown' }: NodeJS.ErrnoException): void => {
      if (code.startsWith('HPE_')) wrong(`does not speak HTTP (${code})`)
      else fail(errorOf('unreachable', `the connection to ${origin.host} broke (${code})`))
    }
    request.on('error', onError)
    request.once('upgrade', () => wrong('wants another protocol'))
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      let octets = 0
      response.on('data', (chunk: Buffer) => {
        octets += chunk.length
        chunks.push(chunk)
        if (octets > MAX_ANSWER_OCTETS) wrong(`answered with more than ${MAX_ANSWER_OCTETS} octets`)
      })
      response.on('error', onError)
      response.once('end', () => {
        const whole = Buffer.concat(chunks)
        for (const chunk of chunks) chunk.fill(0)
        socket.destroy()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole })
      })
    })
    request.end(body)
  })
}
