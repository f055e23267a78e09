import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { CredentialServerEvent } from '../types.ts'
import { assertLocalRequest, assertNoBody } from './gate.ts'
import { Refusal } from './refusal.ts'
import { type Answer, gatedRequest, oauthRefusalBody, type Route } from './route.ts'

export interface DispatchInit {
  routes: readonly Route[]
  /** Values of Host that are ours; known once the port is. */
  authorities: () => ReadonlySet<string>
  /** Whose the other end is, where that is known. */
  userOf: (socket: Socket) => number | undefined
  isClosing: () => boolean
  emit: (event: CredentialServerEvent) => void
}

const MAX_URL_LENGTH = 4096

/** @returns the handler of every request of an admitted connection: headers first, then path and method, then the endpoint. */
export function createDispatch(
  init: DispatchInit,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const routes = new Map(init.routes.flatMap((route) => route.paths.map((path) => [path, route] as const)))
  const patterned = init.routes.filter((it) => it.below !== undefined)
  const routeOf = (request: IncomingMessage): Route | undefined => {
    const { path } = gatedRequest(request)
    if (path.length > MAX_URL_LENGTH) return undefined
    return routes.get(path) ?? patterned.find((it) => it.below?.test(path))
  }

  return async (request, response) => {
    const uid = init.userOf(request.socket)
    let route: Route | undefined
    let isPastGate = false
    try {
      if (init.isClosing()) throw new Refusal(503, 'closing', 'the server closes')
      const found = routeOf(request)
      if (found?.forwardedFor !== undefined && request.headers['x-forwarded-for'] !== undefined) {
        route = found
        throw new Refusal(400, 'forwarded', found.forwardedFor)
      }
      assertLocalRequest(request, init.authorities())
      if ((request.url ?? '').length > MAX_URL_LENGTH) throw new Refusal(414, 'malformed', 'the URL is too long')
      const gated = gatedRequest(request, uid)
      route = found
      if (route === undefined) throw new Refusal(404, 'path', 'there is nothing here')
      if (!route.methods.includes(gated.method)) {
        throw new Refusal(405, 'method', 'not with this method', { headers: { allow: route.methods.join(', ') } })
      }
      assertNoBody(request)
      isPastGate = true
      const answer = await route.handle(gated)
      send(
        response,
        200,
        init.isClosing() ? { ...answer, headers: { ...answer.headers, connection: 'close' } } : answer,
      )
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'internal', 'the server failed')
      init.emit({
        type: 'refused',
        reason: refusal.reason,
        status: refusal.status,
        ...(route === undefined ? {} : { route: route.name }),
        ...(uid === undefined ? {} : { uid }),
        ...(refusal.options.code === undefined ? {} : { code: refusal.options.code }),
      })
      const { retryAfterSeconds } = refusal.options
      send(response, refusal.status, {
        body: (route?.refusalBody ?? oauthRefusalBody)(refusal),
        ...(route?.refusalType === undefined ? {} : { contentType: route.refusalType }),
        headers: {
          ...refusal.options.headers,
          ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
          ...(isPastGate && !init.isClosing() ? {} : { connection: 'close' }),
        },
      })
    }
  }
}

function send(response: ServerResponse, status: number, { body, contentType, headers }: Answer): void {
  response.writeHead(status, {
    'content-type': contentType ?? 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(body)
}
