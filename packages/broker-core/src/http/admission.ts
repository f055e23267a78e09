import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { BrokerError } from '../errors.ts'
import type { Peer } from '../types.ts'
import type { Connection } from './connection.ts'
import type { BrokerLimits } from './limits.ts'

/** Who may ask now, and who must wait. */
export interface Admission {
  /** Counts a TCP connection; `false` when its address has too many. */
  connect(socket: Socket): boolean
  /**
   * Lets a request in, before any of its body is read.
   *
   * @returns Whether it is the last one on its connection.
   * @throws {BrokerError} `overloaded`, `rate_limited`, `shutting_down` or `request_timeout`.
   */
  admit(connection: Connection): Promise<boolean>
}

/** Keeps the counts that {@link BrokerLimits} bound. `inFlight` and `closing` are the server's. */
export function createAdmission(limits: BrokerLimits, now: { inFlight(): number; closing(): boolean }): Admission {
  const limiter = new RateLimiterMemory({ points: limits.requestsPerSecond, duration: 1 })
  const perAddress = new Map<string, number>()
  return {
    connect(socket) {
      const address = socket.remoteAddress ?? 'unknown'
      const open = (perAddress.get(address) ?? 0) + 1
      if (open > limits.maxConnectionsPerAddress) return false
      perAddress.set(address, open)
      socket.once('close', () => {
        const left = (perAddress.get(address) ?? 1) - 1
        if (left === 0) perAddress.delete(address)
        else perAddress.set(address, left)
      })
      return true
    },
    async admit(connection) {
      if (now.closing()) throw new BrokerError('shutting_down', 'server.closing', { retryAfterSeconds: 1 })
      if (now.inFlight() > limits.maxInFlight)
        throw new BrokerError('overloaded', 'server.in_flight', { retryAfterSeconds: 1 })
      if (performance.now() - connection.establishedAt > limits.maxConnectionAgeMs) {
        throw new BrokerError('request_timeout', 'connection.age')
      }
      await limiter.consume(limitKey(connection.peer)).catch((cause: unknown) => {
        const seconds = cause instanceof RateLimiterRes ? Math.max(1, Math.ceil(cause.msBeforeNext / 1000)) : 1
        throw new BrokerError('rate_limited', 'peer.rate', { retryAfterSeconds: seconds })
      })
      connection.requests++
      return connection.requests >= limits.maxRequestsPerConnection
    },
  }
}

/** What requests are counted under: one client certificate, or one address without. */
const limitKey = (peer: Peer): string => peer.spkiSha256 ?? createHash('sha256').update(peer.address).digest('hex')
