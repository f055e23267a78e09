import type { IncomingHttpHeaders } from 'node:http'
import type { Connection } from './connection.ts'

/** What may go wrong with a {@link Post}. */
export type PostErrorKind =
  | 'unreachable' // no connection, or a broken one
  | 'untrusted' // somebody is there, but its certificate or TLS version will not do
  | 'response' // the answer is not HTTP, too long, or wants another protocol

/** What one {@link Post} needs. */
export interface PostInit extends Connection {
  /** `https:`, or `http:` for a connection without TLS or proxy; its path does not matter. */
  readonly origin: URL
  /** Path and query, as they go on the wire. */
  readonly target: string
  /** Names in lower case. `host` and `content-length` are added. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Milliseconds for name look-up, TCP, proxy and TLS together. */
  readonly connectTimeoutMs: number
  readonly signal: AbortSignal
  /** Makes what is thrown. The message names hosts and Node's codes; never a password, a header or an answer. */
  readonly errorOf: (kind: PostErrorKind, message: string) => Error
}

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The reader zeroes it. */
  readonly body: Buffer
}

/**
 * One POST over a connection of its own, without redirects; at most 64 KiB of answer. TLS is 1.2 or newer, and verified whatever
 * NODE_TLS_REJECT_UNAUTHORIZED says; a proxy gets a CONNECT (RFC 9110 §9.3.6).
 *
 * @throws what `errorOf` makes; the signal's reason, or anything else, once the signal has fired.
 */
export type Post = (init: PostInit) => Promise<HttpAnswer>

/**
 * Loads what a {@link Post} needs: `node:http` and `node:tls` take some 6 ms, which can pass while a device signs. Nothing else of this
 * module loads them.
 */
export async function loadPost(): Promise<Post> {
  return (await import('./post.ts')).post
}
