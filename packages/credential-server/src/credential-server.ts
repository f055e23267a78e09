import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { CredentialServerError } from './errors.ts'
import { assertServerInit } from './internal/assert.ts'
import { APP_SERVICE_PATH, azureAppServiceRoute } from './internal/azure-app-service.ts'
import { azureImdsRoute } from './internal/azure-imds.ts'
import { createAzureTokens } from './internal/azure-tokens.ts'
import { createDispatch } from './internal/dispatch.ts'
import { authoritiesOf } from './internal/gate.ts'
import { createHttpServer } from './internal/http-server.ts'
import { assertPeerUidWorks, createPeerLookup, type PeerLookup } from './internal/peer-uid.ts'
import type { Route } from './internal/route.ts'
import type { CredentialServer, CredentialServerEvent, CredentialServerInit, ServerAddress } from './types.ts'

/** How long requests under way have after `close()`. */
const GRACE_MS = 5000

/**
 * Makes a server on the loopback that hands out tokens the way Azure's own machines do, for programs that know managed
 * identity and nothing else.
 *
 * @throws {TypeError | RangeError} on an option that can't be right.
 */
export function createCredentialServer(init: CredentialServerInit): CredentialServer {
  assertServerInit(init, process.platform)
  const { host = '127.0.0.1', port = 0, sameUserOnly = process.platform === 'linux', limits = {} } = init
  const identityHeader = init.azure.identityHeader ?? randomBytes(32).toString('base64url')
  const closing = new AbortController()
  const emit = safely(init.onEvent)
  const routes = azureRoutes(init, { identityHeader, closing: closing.signal, emit })
  const uids = sameUserOnly ? new Set([process.geteuid?.() ?? -1, ...(init.allowedUids ?? [])]) : undefined
  let server: Server | undefined
  let address: ServerAddress | undefined
  let closed: Promise<void> | undefined

  const listen = async (): Promise<ServerAddress> => {
    if (server !== undefined || closed !== undefined) {
      throw new CredentialServerError('ERR_SERVER_STATE', 'a server listens once')
    }
    let authorities: ReadonlySet<string> = new Set()
    const dispatch = createDispatch({
      routes,
      authorities: () => authorities,
      uids,
      peerUid: uidOfPeer(createPeerLookup()),
      isClosing: () => closed !== undefined,
      emit,
    })
    server = createHttpServer({
      maxConnections: limits.maxConnections ?? 512,
      clientTimeoutMs: limits.clientTimeoutMs ?? 5000,
      handle: dispatch,
      onRefused: (status, reason) => emit({ type: 'refused', reason, status }),
    })
    if (uids !== undefined) await assertPeerLookup()
    const bound = await bind(server, host, port)
    if (closed !== undefined) {
      await drain(server)
      throw new CredentialServerError('ERR_SERVER_STATE', 'the server was closed before it listened')
    }
    server.on('error', () => emit({ type: 'refused', reason: 'internal', status: 503 })) // no descriptor for a connection
    authorities = authoritiesOf(host, bound)
    address = { host, port: bound }
    return address
  }

  const environment = (): Record<string, string> => {
    if (address === undefined || closed !== undefined) {
      throw new CredentialServerError('ERR_SERVER_STATE', 'the server does not listen')
    }
    return azureEnvironment(address, identityHeader, init.azure.imds === true)
  }

  const close = (): Promise<void> => {
    closed ??= (server?.listening === true ? drain(server) : Promise.resolve()).finally(() => closing.abort())
    return closed
  }
  return { listen, environment, close }
}

function azureEnvironment(
  { host, port }: ServerAddress,
  identityHeader: string,
  imds: boolean,
): Record<string, string> {
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const endpoint = `${origin}${APP_SERVICE_PATH}`
  return {
    IDENTITY_ENDPOINT: endpoint,
    IDENTITY_HEADER: identityHeader,
    MSI_ENDPOINT: endpoint,
    MSI_SECRET: identityHeader,
    ...(imds ? { AZURE_POD_IDENTITY_AUTHORITY_HOST: origin } : {}),
  }
}

function azureRoutes(
  { azure, limits = {}, clock = Date.now, random = Math.random }: CredentialServerInit,
  {
    identityHeader,
    closing,
    emit,
  }: {
    identityHeader: string
    closing: AbortSignal
    emit: (event: CredentialServerEvent) => void
  },
): Route[] {
  const tokenFor = createAzureTokens({
    credential: azure.credential,
    timeoutMs: limits.credentialTimeoutMs ?? 15_000,
    clock,
    random,
    closing,
    onFailure: ({ status, reason, options: { code } }) =>
      emit({ type: 'refresh-failed', reason, status, ...(code === undefined ? {} : { code }) }),
  })
  const rules = {
    allowedResources: azure.allowedResources && new Set(azure.allowedResources),
    clientId: azure.clientId?.toLowerCase(),
  }
  return [
    azureAppServiceRoute({ rules, tokenFor, identityHeader }),
    ...(azure.imds === true ? [azureImdsRoute({ rules, tokenFor, clock })] : []),
  ]
}

async function bind(server: Server, host: string, port: number): Promise<number> {
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  } catch (cause) {
    const inUse = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
    const code = inUse ? 'ERR_SERVER_ADDRESS_IN_USE' : 'ERR_SERVER_LISTEN'
    throw new CredentialServerError(code, `can't listen on ${host}, port ${port}`, { cause })
  }
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

function uidOfPeer(lookup: PeerLookup): (socket: Socket) => Promise<number | undefined> {
  return async ({ remoteAddress, remotePort, localAddress, localPort }) => {
    if (remoteAddress === undefined || remotePort === undefined) return undefined
    if (localAddress === undefined || localPort === undefined) return undefined
    return await lookup({ address: remoteAddress, port: remotePort }, { address: localAddress, port: localPort })
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
