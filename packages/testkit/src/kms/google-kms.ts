import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen, readBody } from '../internal/http.ts'
import { answerGoogleKms, type GoogleKey } from './google-kms-operations.ts'
import { createGoogleOAuth, type ServiceAccount } from './google-oauth.ts'
import { KmsRefusal, parseObject } from './json.ts'

const MAX_BODY_OCTETS = 262_144

export type GoogleKeyState = GoogleKey['state']

/** A running stand-in for Cloud KMS: encrypt and decrypt with symmetric keys, and the token endpoint. */
export interface TestGoogleKms {
  readonly host: '127.0.0.1'
  readonly port: number
  /** `http://127.0.0.1:<port>/token` */
  readonly tokenUri: string
  /** What was verified and answered, `encrypt` or `decrypt` with the name of the key and the account. */
  readonly calls: { method: string; key: string; account: string }[]
  /** Codes of what was refused, in order. */
  readonly refusals: string[]
  /** How many assertions became tokens. */
  readonly tokensIssued: number
  /** Sees every request first. Where it returns true, it has answered. */
  fault: ((req: IncomingMessage, res: ServerResponse, body: string) => unknown) | undefined
  /** Laid over the answers: a service that lies, or a wire that flips bits. */
  lie: object | undefined
  /** How long each answer takes, in milliseconds. */
  delayMs: number
  addServiceAccount(email?: string): ServiceAccount
  /** A key with one version, enabled. @returns Its name. @param o.material 32 octets; default: random. */
  addKey(o?: { name?: string; material?: Uint8Array; accounts?: readonly string[] }): string
  /** State of the only version. */
  setKeyState(name: string, state: GoogleKeyState): void
  close(): Promise<void>
}

/**
 * Starts Cloud KMS (REST v1) and an OAuth token endpoint. Bearer tokens and service accounts' own JWTs are verified.
 *
 * @param o.now Milliseconds since 1970; default: the real clock.
 */
export async function startGoogleKms(o: { now?: () => number } = {}): Promise<TestGoogleKms> {
  const now = o.now ?? Date.now
  const keys = new Map<string, GoogleKey>()
  const oauth = createGoogleOAuth({ now, tokenUri: () => kms.tokenUri })
  let tokensIssued = 0

  function answer(req: IncomingMessage, body: string): object {
    const { pathname } = new URL(req.url!, 'http://localhost')
    if (req.method !== 'POST') throw new KmsRefusal(404, 'NOT_FOUND', 'POST only')
    if (pathname === '/token') {
      const token = oauth.exchange(body)
      tokensIssued += 1
      return token
    }
    const account = oauth.authenticate(req.headers.authorization)
    const [, key, method] = /^\/v1\/(.+):(encrypt|decrypt)$/.exec(decodeURIComponent(pathname)) ?? []
    const input = parseObject(body)
    if (key === undefined || input === undefined) throw new KmsRefusal(404, 'NOT_FOUND', 'no such method')
    const output = answerGoogleKms({ method: method!, name: key, input, account, keys })
    kms.calls.push({ method: method!, key, account })
    return { ...output, ...kms.lie }
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const octets = await readBody(req, MAX_BODY_OCTETS)
    if (octets === undefined) return void res.writeHead(413, { connection: 'close' }).end()
    const body = octets.toString()
    if (kms.fault?.(req, res, body) === true) return
    if (kms.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, kms.delayMs).unref())
    const headers = { 'content-type': 'application/json; charset=UTF-8' }
    try {
      const output = JSON.stringify(answer(req, body))
      res.writeHead(200, headers).end(output)
    } catch (error) {
      if (!(error instanceof KmsRefusal)) throw error
      const { status, code, message } = error
      kms.refusals.push(code)
      const isOAuth = /^[a-z_]+$/.test(code)
      const payload = isOAuth ? { error: code } : { error: { code: status, message, status: code } }
      res.writeHead(status, headers).end(JSON.stringify(payload))
    }
  }

  const listening = await listen(createServer((req, res) => void handle(req, res).catch(() => res.destroy())))
  const kms: TestGoogleKms = {
    host: '127.0.0.1',
    port: listening.port,
    tokenUri: `http://127.0.0.1:${listening.port}/token`,
    calls: [],
    refusals: [],
    get tokensIssued() {
      return tokensIssued
    },
    fault: undefined,
    lie: undefined,
    delayMs: 0,
    addServiceAccount: (email = 'signer@example-project.iam.gserviceaccount.com') => oauth.addServiceAccount(email),
    addKey({ name = DEFAULT_KEY, material, accounts } = {}) {
      keys.set(name, { name, material: material ?? randomBytes(32), accounts, state: 'ENABLED' })
      return name
    },
    setKeyState(name, state) {
      keys.get(name)!.state = state
    },
    close: listening.close,
  }
  return kms
}

const DEFAULT_KEY = 'projects/example-project/locations/europe-west1/keyRings/hardbound/cryptoKeys/hmac'
