import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Deadline, withDeadline } from '@hardbound/ekm-tls'
import { peerFacts } from '../audit-facts.ts'
import { type Broker, newRequestId } from '../broker.ts'
import { BrokerError } from '../errors.ts'
import type { Admission } from './admission.ts'
import { sendGrant, sendRefusal } from './answer.ts'
import { checkRequest } from './check-request.ts'
import { type Connection, takeTurn } from './connection.ts'
import type { BrokerLimits } from './limits.ts'
import { readBody } from './read-body.ts'

/** Serves one request of one connection: admit, look, read, grant, answer. Never throws. */
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
  let leave = (): void => {}
  try {
    leave = await admission.enter(connection)
    const protocol = checkRequest(request, { goV1: broker.goV1, maxHeaders: limits.maxHeaders })
    const body = await readBody(request, limits.maxBodyBytes)
    const { peer, usedTokens } = connection
    const channel = connection.channels[protocol]
    // A connection that is gone has zeroes for keying material, and everybody knows those.
    if (channel === undefined || request.socket.destroyed) throw new BrokerError('internal', 'binding.unavailable')
    const outcome = await withDeadline(whileWaiting(response, connection, limits.grantTimeoutMs), (signal) =>
      broker.grant({ requestId, protocol, body, channel, peer, usedTokens, signal }),
    )
    if (connection.refused) return // by what came behind it
    const last = connection.requests >= limits.maxRequestsPerConnection
    if ('granted' in outcome) sendGrant(response, outcome.granted.body, last)
    else refuse(outcome.refused)
  } catch (cause) {
    if (connection.refused) return // already answered where the request could not be parsed further
    const error = cause instanceof BrokerError ? cause : new BrokerError('internal', 'http.internal', { cause })
    refuse(await broker.refuse(error, { requestId, ...peerFacts(connection.peer) }))
  } finally {
    leave()
    endUnlessTaken(response, limits.writeTimeoutMs)
    done()
  }
}

/** Ends a grant when the client leaves before it is answered, sends what is no request, or the time is up. */
function whileWaiting(response: ServerResponse, connection: Connection, timeoutMs: number): Deadline {
  const left = new AbortController()
  connection.cancel = () => left.abort()
  response.once('close', () => {
    if (!response.writableFinished) left.abort()
  })
  // The broker itself settles soon after the signal; this is for one that doesn't.
  return { timeoutMs, signal: left.signal, doing: 'granting', graceMs: 2_000 }
}

/** Ends the connection of a client that does not take its answer. */
function endUnlessTaken(response: ServerResponse, timeoutMs: number): void {
  if (response.writableFinished) return
  const timer = setTimeout(() => response.destroy(), timeoutMs)
  response.once('close', () => clearTimeout(timer))
}
