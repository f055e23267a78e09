import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fault, listen, readBody } from './internal/http.ts'
import { merge } from './internal/merge.ts'
import { LauncherRefusal, parseTokenRequest, type TokenRequest } from './internal/token-request.ts'
import type { TestIssuer } from './issuer.ts'

const MAX_BODY_OCTETS = 65_536
/** `aud` of the token that GET gives; the launcher refuses it as a custom audience. */
const DEFAULT_AUDIENCE = 'https://sts.googleapis.com'

/** What {@link startLauncher} needs. */
export interface LauncherOptions {
  readonly issuer: TestIssuer
  /** Default: `teeserver.sock` in a fresh folder that only this user can enter. */
  readonly socketPath?: string
  /** First value of {@link TestLauncher.claims}. */
  readonly claims?: object
  /**
   * Intel Trust Authority is configured: `/v1/intel/token` answers with its claims, `/v1/token` fails. Otherwise it is
   * the other way round. Default: false.
   */
  readonly ita?: boolean
}

/** A running stand-in for the launcher of a Confidential Space VM. */
export interface TestLauncher {
  readonly socketPath: string
  /** All requests, in order. `body` is the JSON value of a POST, or its text where it is no JSON. */
  readonly requests: { path: string; body: unknown }[]
  /** Merged into every token; `undefined` deletes a claim. */
  claims: object
  /** Replaces the answer while set. */
  fault: Fault | undefined
  /** Stops, and removes the socket and the folder that was made for it. */
  close(): Promise<void>
}

/** Starts a launcher on a Unix socket. It hands out tokens of `issuer` and is as strict as the real one. */
export async function startLauncher(o: LauncherOptions): Promise<TestLauncher> {
  const folder = o.socketPath === undefined ? await mkdtemp(join(tmpdir(), 'testkit-launcher-')) : undefined
  const socketPath = o.socketPath ?? join(folder!, 'teeserver.sock')
  const requests: { path: string; body: unknown }[] = []
  const server = createServer((req, res) => {
    void answer(req, res).catch(() => res.destroy())
  })

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req, MAX_BODY_OCTETS)
    const path = req.url!.split('?', 1)[0]!
    requests.push({ path, body: req.method === 'POST' ? recorded(body) : undefined })
    if (launcher.fault !== undefined) return launcher.fault(req, res)
    if (path !== '/v1/token' && path !== '/v1/intel/token') return sendText(res, 404, '404 page not found\n')
    try {
      sendToken(res, issueToken(path, tokenRequest(req.method, body)))
    } catch (error) {
      if (!(error instanceof LauncherRefusal)) throw error
      sendText(res, error.status, error.message)
    }
  }

  function issueToken(path: string, { audience, nonces, tokenType }: TokenRequest): string {
    const ita = path === '/v1/intel/token'
    if (ita !== (o.ita ?? false)) throw new LauncherRefusal(500, 'no verifier client for this kind of token')
    const claims = merge(ita ? itaClaims(nonces) : {}, launcher.claims)
    return o.issuer.token({ audience, nonces, claims, tokenType })
  }

  const listening = await listen(server, { path: socketPath })
  const launcher: TestLauncher = {
    socketPath,
    requests,
    claims: o.claims ?? {},
    fault: undefined,
    async close() {
      await listening.close()
      if (folder !== undefined) await rm(folder, { recursive: true, force: true })
    },
  }
  return launcher
}

/** A launcher answers 400, not 405, to other methods on its token endpoints. */
function tokenRequest(method: string | undefined, body: Buffer | undefined): TokenRequest {
  if (method === 'GET') return { audience: DEFAULT_AUDIENCE, nonces: [], tokenType: 'OIDC' }
  if (method !== 'POST') throw new LauncherRefusal(400, 'TEE server received an invalid HTTP method')
  if (body === undefined) throw new LauncherRefusal(400, 'request body too large')
  return parseTokenRequest(body)
}

/** What Intel's tokens say otherwise: `eat_nonce` is always an array, `tdx` holds Intel's TCB status as well. */
const itaClaims = (nonces: readonly string[]): object => ({
  iss: 'https://portal.trustauthority.intel.com',
  hwmodel: 'INTEL_TDX',
  eat_nonce: nonces.length > 0 ? nonces : undefined,
  tdx: {
    gcp_attester_tcb_status: 'UpToDate',
    gcp_attester_tcb_date: '2024-03-13T00:00:00Z',
    attester_tcb_status: 'UpToDate',
    attester_tcb_date: '2024-03-13T00:00:00Z',
  },
})

/** Two writes and no length: the token arrives chunked, as large ones do from the launcher. */
function sendToken(res: ServerResponse, token: string): void {
  const half = token.length >> 1
  res.writeHead(200, { 'content-type': 'text/html' })
  res.write(token.slice(0, half))
  res.end(token.slice(half))
}

function sendText(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'content-type': 'text/html', connection: 'close' }).end(text)
}

function recorded(body: Buffer | undefined): unknown {
  const text = body?.toString() ?? ''
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
