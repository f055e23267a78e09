import type { IncomingMessage, ServerResponse } from 'node:http'
import { peerFacts } from '../audit-facts.ts'
import { type Broker, newRequestId } from '../broker.ts'
import { BrokerError } from '../errors.ts'
import type { Admission } from './admission.ts'
import { sendGrant, sendRefusal } from './answer.ts'
import { checkRequest } from './check-request.ts'
import { type Connection, takeTurn } from './connection.ts'
import type { BrokerLimits } from './limits.ts'
import { readBody } from './read-body.ts'

/** Serves one request of one connection: guard, read, grant, answer. Never throws. */
export async function serveRequest(
  request: IncomingMessage,
  response: ServerResponse,
  connection: Connection,
  { broker, admission, limits }: { broker: Broker; admission: Admission; limits: BrokerLimits },
): Promise<void> {
  const done = await takeTurn(connection)
  if (connection.refused) return done() // whoever refused ends the connection
  const requestId = newRequestId()
  const refuse = (error: BrokerError): void => {
    connection.refused = true
    sendRefusal(response, error, requestId)
  }
  try {
    const protocol = checkRequest(request, { goV1: broker.goV1, maxHeaders: limits.maxHeaders })
    const last = await admission.admit(connection)
    const body = await readBody(request, limits.maxBodyBytes)
    const { peer, usedTokens } = connection
    const channel = connection.channels[protocol]
    if (channel === undefined || request.socket.destroyed) throw new BrokerError('internal', 'binding.unavailable')
    const signal = whileWaiting(response, limits.grantTimeoutMs)
    const outcome = await broker.grant({ requestId, protocol, body, channel, peer, usedTokens, signal })
    if ('granted' in outcome) sendGrant(response, outcome.granted.body, last)
    else refuse(outcome.refused)
  } catch (cause) {
    if (connection.refused) return // already answered where the request could not be parsed further
    const error = cause instanceof BrokerError ? cause : new BrokerError('internal', 'http.internal', { cause })
    refuse(await broker.refuse(error, { requestId, ...peerFacts(connection.peer) }))
  } finally {
    endUnlessTaken(response, limits.writeTimeoutMs)
    done()
  }
}

/** Fires when the client leaves before it is answered, or the time for a grant is up. */
function whileWaiting(response: ServerResponse, timeoutMs: number): AbortSignal {
  const left = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) left.abort()
  })
  return AbortSignal.any([left.signal, AbortSignal.timeout(timeoutMs)])
}

/** Ends the connection of a client that does not take its answer. */
function endUnlessTaken(response: ServerResponse, timeoutMs: number): void {
  if (response.writableFinished) return
  const timer = setTimeout(() => response.destroy(), timeoutMs)
  response.once('close', () => clearTimeout(timer))
}
