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
   * Lets a request in, before anything of it is looked at.
   *
   * @returns Lets it out again.
   * @throws {BrokerError} `overloaded`, `rate_limited`, `shutting_down` or `request_timeout`.
   */
  enter(connection: Connection): Promise<() => void>
}

/** Keeps the counts that {@link BrokerLimits} bound. */
export function createAdmission(limits: BrokerLimits, closing: () => boolean): Admission {
  const limiter = new RateLimiterMemory({ points: limits.requestsPerSecond, duration: 1 })
  const perAddress = new Map<string, number>()
  let inFlight = 0
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
    async enter(connection) {
      if (closing()) throw new BrokerError('shutting_down', 'server.closing', { retryAfterSeconds: 1 })
      if (inFlight >= limits.maxInFlight)
        throw new BrokerError('overloaded', 'server.in_flight', { retryAfterSeconds: 1 })
      if (performance.now() - connection.establishedAt > limits.maxConnectionAgeMs) {
        throw new BrokerError('request_timeout', 'connection.age')
      }
      await limiter.consume(limitKey(connection.peer)).catch((cause: unknown) => {
        const seconds = cause instanceof RateLimiterRes ? Math.max(1, Math.ceil(cause.msBeforeNext / 1000)) : 1
        throw new BrokerError('rate_limited', 'peer.rate', { retryAfterSeconds: seconds })
      })
      inFlight++
      return () => {
        inFlight--
      }
    },
  }
}

/** What requests are counted under: one client certificate, or one address without. */
const limitKey = (peer: Peer): string => peer.spkiSha256 ?? createHash('sha256').update(peer.address).digest('hex')
