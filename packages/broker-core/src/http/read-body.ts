import type { IncomingMessage } from 'node:http'
import { BrokerError } from '../errors.ts'

/** Reads a body of at most `limit` octets, and stops reading at the limit. Throws {@link BrokerError}. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw new BrokerError('payload_too_large', 'http.body')
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limit) throw new BrokerError('payload_too_large', 'http.body')
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof BrokerError) throw cause
    throw new BrokerError('request_timeout', 'http.body_incomplete', { cause })
  }
  return Buffer.concat(chunks)
}
