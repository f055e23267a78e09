import type { IncomingMessage } from 'node:http'
import { BrokerError } from '../errors.ts'
import type { Protocol } from '../types.ts'

/** The routes, by their exact raw path. */
const V2_PATH = '/v2/credentials'
const GO_V1_PATH = '/token'

/**
 * Looks at a request's head before any of its body is read.
 *
 * @returns Which protocol the route speaks.
 * @throws {BrokerError} with the status of security case group H.
 */
export function checkRequest(request: IncomingMessage, routes: { goV1: boolean; maxHeaders: number }): Protocol {
  const { headers, rawHeaders, method, url } = request
  if (rawHeaders.length / 2 > routes.maxHeaders) throw new BrokerError('headers_too_large', 'http.headers')
  const protocol = url === V2_PATH ? 'v2' : url === GO_V1_PATH && routes.goV1 ? 'go-v1' : undefined
  if (protocol === undefined) throw new BrokerError('not_found', 'http.path')
  if (method !== 'POST') throw new BrokerError('method_not_allowed', 'http.method')
  if (request.httpVersion !== '1.1' || count(rawHeaders, 'host') !== 1)
    throw new BrokerError('invalid_request', 'http.host')
  if (headers.expect !== undefined && !/^100-continue$/i.test(headers.expect)) {
    throw new BrokerError('expectation_failed', 'http.expect')
  }
  if (headers.upgrade !== undefined) throw new BrokerError('invalid_request', 'http.upgrade')
  if (headers['content-encoding'] !== undefined)
    throw new BrokerError('unsupported_media_type', 'http.content_encoding')
  if (count(rawHeaders, 'content-type') !== 1 || !JSON_TYPE.test(headers['content-type'] ?? '')) {
    throw new BrokerError('unsupported_media_type', 'http.content_type')
  }
  if (!ACCEPTS_JSON.test(headers.accept ?? '*/*')) throw new BrokerError('not_acceptable', 'http.accept')
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
    throw new BrokerError('length_required', 'http.length')
  }
  return protocol
}

const JSON_TYPE = /^application\/json(?:\s*;\s*charset="?utf-8"?)?$/i
const ACCEPTS_JSON = /(?:^|,)\s*(?:application\/json|application\/\*|\*\/\*)\s*(?:;|,|$)/i

/** Node keeps the first of two such headers and drops the rest; two are refused here. */
const count = (rawHeaders: readonly string[], name: string): number =>
  rawHeaders.filter((it, i) => i % 2 === 0 && it.toLowerCase() === name).length
