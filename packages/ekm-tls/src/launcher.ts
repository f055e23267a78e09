import { lstat, stat } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import type { AttestationSource } from './attestation-source.ts'
import { BrokerClientError } from './client-errors.ts'
import { deadlineError, withDeadline } from './deadline.ts'

/** How to ask the Confidential Space launcher. */
export interface ConfidentialSpaceLauncherInit {
  /** Default: `/run/container_launcher/teeserver.sock`. */
  socketPath?: string
  /** Who attests: Google Cloud Attestation or Intel Trust Authority. Default: `google`. */
  service?: 'google' | 'intel'
  /** Signed by a rotating key (`OIDC`) or by a certificate chain (`PKI`). Default: `OIDC`. */
  tokenType?: 'OIDC' | 'PKI'
  /** Default: 10 000; evidence of a TDX machine takes about a second. */
  timeoutMs?: number
}

const PATHS = { google: '/v1/token', intel: '/v1/intel/token' } as const
const MAX_TOKEN_BYTES = 65_536
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Tokens from the launcher of Google Confidential Space, over its UNIX socket. */
export function confidentialSpaceLauncher(init: ConfidentialSpaceLauncherInit = {}): AttestationSource {
  const socketPath = init.socketPath ?? '/run/container_launcher/teeserver.sock'
  const path = PATHS[init.service ?? 'google']
  if (path === undefined) throw new TypeError('"service" must be google or intel')
  const tokenType = init.tokenType ?? 'OIDC'
  if (tokenType !== 'OIDC' && tokenType !== 'PKI') throw new TypeError('"tokenType" must be OIDC or PKI')
  return {
    name: 'confidential-space',
    async getToken({ audience, nonces, signal }) {
      const body = JSON.stringify({ audience, token_type: tokenType, nonces })
      await assertTrustedSocket(socketPath)
      const deadline = { timeoutMs: init.timeoutMs ?? 10_000, signal, doing: 'waiting for the launcher' }
      const answer = await withDeadline(deadline, (until) => post(socketPath, path, body, until))
      // The launcher sends errors as text; the status is all that tells them from a token.
      if (answer.status !== 200) {
        throw new BrokerClientError('ERR_ATTESTATION_REFUSED', `the launcher answered ${answer.status} on ${path}`)
      }
      const token = answer.text.trim()
      if (!COMPACT_JWS.test(token)) {
        throw new BrokerClientError('ERR_ATTESTATION_REFUSED', 'the launcher answered 200 without a token')
      }
      return token
    },
  }
}

/** Refuses a socket that another user may have put there: it would hand our nonces to a stranger. */
async function assertTrustedSocket(path: string): Promise<void> {
  const [socket, folder] = await Promise.all([lstat(path), stat(dirname(path))]).catch((cause: unknown) => {
    throw new BrokerClientError('ERR_ATTESTATION_UNAVAILABLE', `no launcher at ${path}`, { cause })
  })
  const own = process.geteuid?.() ?? 0
  const unsafe = (why: string): never => {
    throw new BrokerClientError('ERR_ATTESTATION_SOCKET', `${path} ${why}`)
  }
  if (!socket.isSocket()) unsafe('is not a socket')
  if (socket.uid !== 0 && socket.uid !== own) unsafe('belongs to another user')
  const sticky = (folder.mode & 0o1000) !== 0 // as in /tmp: only the owner may replace what is there
  if ((folder.mode & 0o002) !== 0 && !sticky) unsafe('is in a folder that everybody may write to')
}

function post(
  socketPath: string,
  path: string,
  body: string,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      path,
      method: 'POST',
      headers: { host: 'localhost', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      agent: false,
      signal,
    })
    const fail = (cause: unknown): void => {
      request.destroy()
      reject(postError(cause, socketPath, signal))
    }
    request.once('error', fail)
    request.once('upgrade', (_response, upgraded) => {
      upgraded.destroy()
      fail(cutOff())
    })
    request.once('response', (response) => {
      readText(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, text }),
        (cause: unknown) => fail(signal.aborted || cause instanceof BrokerClientError ? cause : cutOff()),
      )
    })
    request.end(body)
  })
}

function postError(cause: unknown, socketPath: string, signal: AbortSignal): Error {
  if (cause instanceof BrokerClientError) return cause
  if (signal.aborted) return deadlineError(signal, 'waiting for the launcher')
  // The parser's errors hold what was received, which may be a token.
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code.startsWith('HPE_')) return new BrokerClientError('ERR_ATTESTATION_REFUSED', 'the launcher speaks no HTTP')
  return new BrokerClientError('ERR_ATTESTATION_UNAVAILABLE', `cannot talk to the launcher at ${socketPath}`, { cause })
}

const cutOff = (): BrokerClientError =>
  new BrokerClientError('ERR_ATTESTATION_REFUSED', 'the launcher stopped in the middle of its answer')

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_TOKEN_BYTES) throw new BrokerClientError('ERR_ATTESTATION_REFUSED', 'the launcher answered too much')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('latin1')
}
