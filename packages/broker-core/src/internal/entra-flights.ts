import { BrokerError } from '../errors.ts'
import type { EntraToken } from './entra-call.ts'
import { type EntraApplication, type EntraExchangeInit, exchange } from './entra-exchange.ts'
import { createGate } from './gate.ts'

export interface EntraFlightsInit extends EntraExchangeInit {
  readonly maxConcurrency: number
  readonly maxQueue: number
  readonly deadlineMs: number
}

/** Exchanges on their way: so many at a time, each within the deadline, none after `close`. */
export function createEntraFlights(init: EntraFlightsInit) {
  const gate = createGate(init.maxConcurrency, init.maxQueue)
  const controllers = new Set<AbortController>()
  let closed = false
  return {
    async fetch(application: EntraApplication, scope: string): Promise<EntraToken> {
      if (closed) throw new BrokerError('shutting_down', 'issuer.closed')
      const controller = new AbortController()
      controllers.add(controller)
      const deadline = setTimeout(() => controller.abort(), init.deadlineMs)
      let leave: (() => void) | undefined
      try {
        leave = await gate.enter(controller.signal)
        return await exchange(application, scope, controller.signal, init)
      } catch (error) {
        throw closed ? new BrokerError('shutting_down', 'issuer.closed') : error
      } finally {
        leave?.()
        clearTimeout(deadline)
        controllers.delete(controller)
      }
    },
    close() {
      closed = true
      for (const controller of controllers) controller.abort()
    },
  }
}
