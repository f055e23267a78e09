import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type Accounts, openRoleSession } from '../internal/accounts.ts'
import { listen, readBody } from '../internal/http.ts'
import { splitTarget } from '../internal/sigv4-canonical.ts'
import { createTestPki } from '../pki.ts'
import type { SignedHttpRequest } from '../sigv4-verify.ts'
import { type Account, checkProfile, parseTrustAnchor } from './account.ts'
import { createSession } from './create-session.ts'
import { RolesAnywhereRefusal } from './refusal.ts'
import { isArn } from './session-request.ts'
import type { RolesAnywhereOptions, TestRolesAnywhere } from './test-roles-anywhere.ts'

const MAX_BODY_OCTETS = 65_536
/** Certificates and signatures of ML-DSA-87 have 10 KB each in headers, five of them in a chain. */
const MAX_HEADER_OCTETS = 65_536
/** Services built like this one put a URI after the code; clients have to cut it off. */
const ERROR_TYPE_SUFFIX = ':http://internal.amazon.com/coral/com.amazonaws.rolesanywhere/'

/** Starts it on a free port of 127.0.0.1. */
export async function startRolesAnywhere({
  aws,
  clock = Date.now,
  tls = false,
}: RolesAnywhereOptions = {}): Promise<TestRolesAnywhere> {
  const account: Account = { trustAnchors: new Map(), profiles: new Map(), roles: new Map() }
  const own: Accounts = { principals: new Map(), roles: new Map(), policies: new Map(), contexts: new Set() }

  function answer(request: SignedHttpRequest): unknown {
    if (request.method !== 'POST' || splitTarget(request.target)[0] !== '/sessions') {
      throw new RolesAnywhereRefusal('UnknownOperationException', `No operation is at ${request.method} and this path`)
    }
    const { call, answer: body } = createSession(request, {
      account,
      nowMs: clock(),
      shortenSessionsTo: service.shortenSessionsTo ?? aws?.shortenSessionsTo,
      openRoleSession: (session) => aws?.openRoleSession(session) ?? openRoleSession(own, session),
    })
    service.calls.push(call)
    return service.answer === undefined ? body : service.answer(body)
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const attempt = req.headers['amz-sdk-request']
    const [path] = splitTarget(req.url!)
    service.requests.push({
      method: req.method!,
      path,
      ...(typeof attempt === 'string' && { attempt }),
      at: clock(),
    })
    if (service.fault !== undefined) return service.fault(req, res)
    const headers = {
      date: new Date(clock()).toUTCString(),
      'x-amzn-requestid': randomUUID(),
      'content-type': 'application/json',
    }
    try {
      const body = await readBody(req, MAX_BODY_OCTETS)
      if (body === undefined) throw new RolesAnywhereRefusal('RequestEntityTooLargeException', 'Request is too large')
      const content = await answer({ method: req.method!, target: req.url!, headers: pairs(req.rawHeaders), body })
      res.writeHead(201, headers).end(typeof content === 'string' ? content : JSON.stringify(content))
    } catch (error) {
      if (!(error instanceof RolesAnywhereRefusal)) throw error
      const { status, code, message, detail } = error
      service.refusals.push({ status, code, message, detail })
      const connection = status === 413 ? { connection: 'close' } : {}
      res.writeHead(status, { ...headers, ...connection, 'x-amzn-errortype': code + ERROR_TYPE_SUFFIX })
      res.end(JSON.stringify({ message }))
    }
  }

  const onRequest = (req: IncomingMessage, res: ServerResponse) => void handle(req, res).catch(() => res.destroy())
  const identity = tls ? await tlsIdentity() : undefined
  const limits = { maxHeaderSize: MAX_HEADER_OCTETS }
  const server =
    identity === undefined
      ? createServer(limits, onRequest)
      : createTlsServer({ ...limits, ...identity.server }, onRequest)
  const { port, close } = await listen(server)
  const service: TestRolesAnywhere = {
    endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    ...(identity !== undefined && { caPem: identity.caPem }),
    addTrustAnchor: (anchor) => void account.trustAnchors.set(anchor.arn, parseTrustAnchor(anchor)),
    addProfile: (profile) => void account.profiles.set(profile.arn, checkProfile(profile)),
    addRole(role) {
      if (!isArn(role.arn, 'role')) throw new TypeError('"arn" must be that of a role')
      account.roles.set(role.arn, role)
    },
    calls: [],
    refusals: [],
    requests: [],
    fault: undefined,
    answer: undefined,
    shortenSessionsTo: undefined,
    close,
  }
  return service
}

async function tlsIdentity() {
  const pki = await createTestPki()
  const { certPem, keyPem } = await pki.issue({ commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] })
  return { caPem: pki.caPem, server: { cert: certPem, key: keyPem, minVersion: 'TLSv1.2' as const } }
}

const pairs = (rawHeaders: readonly string[]): [string, string][] =>
  Array.from({ length: rawHeaders.length / 2 }, (_, i) => [rawHeaders[2 * i]!, rawHeaders[2 * i + 1]!])
