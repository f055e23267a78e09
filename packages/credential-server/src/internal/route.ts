import type { IncomingMessage } from 'node:http'
import { Refusal } from './refusal.ts'

/** A request that passed the gate. */
export interface GatedRequest {
  readonly method: string
  /** As it was sent: not decoded, not normalised. */
  readonly path: string
  /** What follows the first `?`, or nothing. */
  readonly query: string
  /** The client's user, where it was looked up. */
  readonly uid: number | undefined
  /** All values that a header was sent with. Names in lower case. */
  header(name: string): readonly string[]
}

/** What goes back when all is well. */
export interface Answer {
  readonly body: string
  /** Default: `application/json`. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One endpoint. The gate has looked at the connection and at the headers that every endpoint forbids; the rest is its own. */
export interface Route {
  /** For events: `azure-imds`. */
  readonly name: string
  /** Compared exactly with what the client sent, so `//`, `%2f`, `..` and a further slash never match. */
  readonly paths: readonly string[]
  /** Further paths, where they are too many to be listed. */
  readonly below?: RegExp
  readonly methods: readonly string[]
  /** @throws {Refusal} */
  handle(request: GatedRequest): Promise<Answer> | Answer
  /** The body of a refusal as this endpoint's clients expect it. */
  refusalBody(refusal: Refusal): string
  /** Its type. Default: `application/json`. */
  readonly refusalType?: string
  /** What a request with `X-Forwarded-For` is told, with 400, where clients know that better than 403. */
  readonly forwardedFor?: string
}

/** Splits a request, which routes then read. Nothing is decoded. */
export function gatedRequest({ method = '', url = '', rawHeaders }: IncomingMessage, uid?: number): GatedRequest {
  const mark = url.indexOf('?')
  return {
    method,
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? '' : url.slice(mark + 1),
    uid,
    header: (name) => rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name),
  }
}

/**
 * Reads a query whose parameters come once each.
 * @throws {Refusal} 400 where one is repeated.
 */
export function singleParameters(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (parameters.has(name)) throw new Refusal(400, 'parameter', 'a query parameter is repeated')
    parameters.set(name, value)
  }
  return parameters
}

/** Body of a refusal in the words of RFC 6749 §5.2, which is what IMDS answers with; also for where no route was found. */
export function oauthRefusalBody({ status, message, options }: Refusal): string {
  return JSON.stringify({ error: options.error ?? defaultError(status), error_description: message })
}

function defaultError(status: number): string {
  if (status === 401 || status === 403) return 'access_denied'
  return status < 500 ? 'invalid_request' : 'temporarily_unavailable'
}
