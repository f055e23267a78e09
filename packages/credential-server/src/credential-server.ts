import type { Server } from 'node:http'
import { CredentialServerError } from './errors.ts'
import { createAdmission } from './internal/admission.ts'
import { assertServerInit } from './internal/assert.ts'
import { createAwsSide } from './internal/aws-side.ts'
import { createAzureSide } from './internal/azure-side.ts'
import { bindPort, bindSocket } from './internal/bind.ts'
import { createDispatch } from './internal/dispatch.ts'
import { authoritiesOf } from './internal/gate.ts'
import { createHttpServer } from './internal/http-server.ts'
import { assertPeerUidWorks, createPeerLookup } from './internal/peer-uid.ts'
import type { Side, SideInit } from './internal/side.ts'
import type { CredentialServer, CredentialServerEvent, CredentialServerInit, ServerAddress } from './types.ts'

/** How long requests under way have after `close()`. */
const GRACE_MS = 5000

/**
 * Makes a server on the loopback that hands out credentials the way AWS's and Azure's own machines do, for programs that know
 * nothing else.
 *
 * @throws {TypeError | RangeError} on an option that can't be right.
 */
export function createCredentialServer(init: CredentialServerInit): CredentialServer {
  assertServerInit(init, process.platform)
  const { host = '127.0.0.1', port = 0, limits = {}, socketPath } = init
  const { sameUserOnly = process.platform === 'linux' && socketPath === undefined } = init
  const closing = new AbortController()
  const emit = safely(init.onEvent)
  const uids = sameUserOnly ? new Set([process.geteuid?.() ?? -1, ...(init.allowedUids ?? [])]) : undefined
  const sides = sidesOf(init, { ...init, closing: closing.signal, uids, emit })
  let server: Server | undefined
  let address: ServerAddress | undefined
  let closed: Promise<void> | undefined
  const undo: (() => Promise<void>)[] = []

  const listen = async (): Promise<ServerAddress> => {
    if (server !== undefined || closed !== undefined) {
      throw new CredentialServerError('ERR_SERVER_STATE', 'a server listens once')
    }
    let authorities: ReadonlySet<string> = new Set()
    const { admit, userOf } = createAdmission({ uids, lookup: createPeerLookup() })
    const dispatch = createDispatch({
      routes: sides.flatMap((it) => it.routes),
      authorities: () => authorities,
      userOf,
      isClosing: () => closed !== undefined,
      emit,
    })
    const { maxConnections = 512, clientTimeoutMs = 5000, credentialTimeoutMs = 15_000 } = limits
    server = createHttpServer({
      maxConnections,
      clientTimeoutMs,
      answerTimeoutMs: credentialTimeoutMs + clientTimeoutMs,
      admit,
      userOf,
      handle: dispatch,
      onRefused: (status, reason) => emit({ type: 'refused', reason, status }),
      onTurnedAway: (socket, { status, reason }) => {
        const uid = userOf(socket)
        emit({ type: 'refused', reason, status, ...(uid === undefined ? {} : { uid }) })
      },
    })
    if (uids !== undefined) await assertPeerLookup()
    try {
      for (const side of sides) await side.prepare?.()
    } finally {
      assertOpen() // whatever went wrong, it was closed
    }
    if (socketPath !== undefined) await bindSocket(server, socketPath)
    const bound = socketPath === undefined ? await bindPort(server, host, port) : 0
    server.on('error', () => emit({ type: 'refused', reason: 'internal', status: 503 })) // no descriptor for a connection
    authorities = socketPath === undefined ? authoritiesOf(host, bound) : new Set(['localhost'])
    try {
      assertOpen()
      for (const side of sides) if (side.start !== undefined) undo.push(await side.start())
      assertOpen()
    } catch (error) {
      await Promise.all([drain(server), ...undo.map((it) => it())])
      throw error
    }
    address = { host: socketPath ?? host, port: bound }
    return address
  }

  const assertOpen = (): void => {
    if (closed !== undefined) {
      throw new CredentialServerError('ERR_SERVER_STATE', 'the server was closed before it listened')
    }
  }

  const environment = (roleName?: string): Record<string, string> => {
    if (address === undefined || closed !== undefined) {
      throw new CredentialServerError('ERR_SERVER_STATE', 'the server does not listen')
    }
    if (socketPath !== undefined) throw new TypeError('no variable leads to a UNIX socket')
    const at = address
    return Object.fromEntries(sides.flatMap((it) => Object.entries(it.environment(at, roleName))))
  }

  const close = (): Promise<void> => {
    closed ??= Promise.all([server?.listening === true ? drain(server) : undefined, ...undo.map((it) => it())])
      .then(() => {})
      .finally(() => closing.abort())
    return closed
  }
  return { listen, environment, health: () => sides.flatMap((it) => it.health?.() ?? []), close }
}

function sidesOf({ aws, azure }: CredentialServerInit, init: SideInit): Side[] {
  return [
    ...(aws === undefined ? [] : [createAwsSide([aws].flat(), init)]),
    ...(azure === undefined ? [] : [createAzureSide(azure, init)]),
  ]
}

async function assertPeerLookup(): Promise<void> {
  try {
    await assertPeerUidWorks()
  } catch (cause) {
    throw new CredentialServerError(
      'ERR_SERVER_PEER_LOOKUP',
      '"sameUserOnly" is on, and /proc/net/tcp is not readable',
      {
        cause,
      },
    )
  }
}

async function drain(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS)
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeIdleConnections()
  })
  clearTimeout(timer)
}

/** A log that fails is no reason to fail a client. */
function safely(onEvent: CredentialServerInit['onEvent']): (event: CredentialServerEvent) => void {
  return (event) => {
    try {
      onEvent?.(event)
    } catch {
      // theirs
    }
  }
}
