import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type Listening, listen, readBody } from '../internal/http.ts'
import { type JsonObject, KmsRefusal, parseObject } from './json.ts'
import { createVaultLogins, type VaultLogins } from './vault-logins.ts'
import { authOf, createVaultTokens, leftSeconds, type TokenInit } from './vault-tokens.ts'
import { createVaultTransit, type VaultTransit } from './vault-transit.ts'

const MAX_BODY_OCTETS = 1_048_576

export interface VaultOptions {
  /** PEM of a certificate and its key, for HTTPS; without it HTTP. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string }
  /** Milliseconds since 1970; default: the real clock. */
  readonly now?: () => number
}

/** A request that was answered, whatever the answer was. */
export interface VaultCall {
  /** `POST transit/hmac/aws/sha2-256` */
  readonly what: string
  readonly namespace: string
  readonly status: number
}

/** A running stand-in for Vault: transit HMAC and import, tokens, AppRole, Kubernetes, namespaces. */
export interface TestVault extends Omit<VaultLogins, 'login'>, Omit<VaultTransit, 'answer' | 'hasMount' | 'close'> {
  /** `https://localhost:<port>`, or `http://127.0.0.1:<port>` without TLS. */
  readonly address: string
  readonly calls: VaultCall[]
  /** Namespaces that there are, besides the root. `addMount` and `addKey` are about every namespace alike. */
  readonly namespaces: Set<string>
  /** Sealed: everything is 503. */
  sealed: boolean
  /** Sees every request first. Where it returns true, it has answered. */
  fault: ((req: IncomingMessage, res: ServerResponse, body: string) => unknown) | undefined
  /** Laid over the data of HMAC answers: a service that lies. */
  lie: object | undefined
  /** How long each answer takes, in milliseconds. */
  delayMs: number
  addToken(init?: TokenInit): string
  revokeToken(token: string): void
  /** Another node of the cluster, which sends everybody here (307), or answers as `status` says. */
  startStandby(o?: { status?: number; location?: string }): Promise<{ readonly address: string; readonly hits: number }>
  close(): Promise<void>
}

/** Starts a node of Vault, unsealed and active. */
export async function startVault({ tls, now = Date.now }: VaultOptions = {}): Promise<TestVault> {
  const tokens = createVaultTokens(now)
  const { login, ...logins } = createVaultLogins(now)
  const { answer: transit, hasMount, close: giveBackKey, ...keys } = createVaultTransit()
  const listening: Listening[] = []

  async function serve(listener: RequestListener): Promise<string> {
    const server =
      tls === undefined ? createServer(listener) : createTlsServer({ cert: tls.certPem, key: tls.keyPem }, listener)
    const started = await listen(server)
    listening.push(started)
    return tls === undefined ? `http://127.0.0.1:${started.port}` : `https://localhost:${started.port}`
  }

  function answer(req: IncomingMessage, path: string, namespace: string, input: JsonObject): object | undefined {
    if (vault.sealed) throw refusal(503, 'Vault is sealed')
    if (namespace !== '' && !vault.namespaces.has(namespace))
      throw refusal(404, 'no handler for route: route entry not found')
    const [, method] = /^auth\/(approle|kubernetes)\/login$/.exec(path) ?? []
    if (method === 'approle' || method === 'kubernetes') {
      const issued = tokens.issue({ namespace, ...login(method, input, now()) })
      return { auth: authOf(issued, now()) }
    }
    const [header] = [req.headers['x-vault-token']].flat()
    const token = tokens.authenticate(header, namespace)
    if (path === 'auth/token/lookup-self' && req.method === 'GET') {
      return { data: { ttl: leftSeconds(token, now()), renewable: token.renewable, type: 'service' } }
    }
    if (path === 'auth/token/renew-self' && req.method !== 'GET') {
      tokens.renew(token)
      return { auth: authOf(token, now()) }
    }
    if (path === 'auth/token/revoke-self' && req.method !== 'GET') {
      tokens.revoke(token.token)
      return undefined
    }
    const mount = [...mountsOf(path)].find(hasMount)
    if (mount === undefined) throw refusal(404, 'no handler for route: route entry not found')
    const inside = path.slice(mount.length + 1)
    const [, key] = /^hmac\/([^/]+)/.exec(inside) ?? []
    if (key !== undefined && token.keys?.includes(key) === false) throw refusal(403, 'permission denied')
    const data = transit(mount, inside, req.method!, input)
    return data === undefined ? undefined : { data: key === undefined ? data : { ...data, ...vault.lie } }
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const octets = await readBody(req, MAX_BODY_OCTETS)
    if (octets === undefined) return void res.writeHead(413, { connection: 'close' }).end()
    const body = octets.toString()
    if (vault.fault?.(req, res, body) === true) return
    if (vault.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, vault.delayMs).unref())
    const [, path = ''] = /^\/v1\/([^?]+)$/.exec(req.url!) ?? []
    const namespace = [req.headers['x-vault-namespace']].flat()[0] ?? ''
    const outcome = (() => {
      try {
        const input = body === '' ? {} : parseObject(body)
        if (input === undefined) throw refusal(400, 'failed to parse JSON input')
        const content = answer(req, path, namespace, input)
        return { status: content === undefined ? 204 : 200, content }
      } catch (error) {
        if (!(error instanceof KmsRefusal)) throw error
        return { status: error.status, content: { errors: [error.message] } }
      }
    })()
    vault.calls.push({ what: `${req.method} ${path}`, namespace, status: outcome.status })
    res.writeHead(outcome.status, { 'content-type': 'application/json' })
    res.end(outcome.content === undefined ? undefined : JSON.stringify(outcome.content))
  }

  const vault: TestVault = {
    address: await serve((req, res) => void handle(req, res).catch(() => res.destroy())),
    calls: [],
    namespaces: new Set(),
    sealed: false,
    fault: undefined,
    lie: undefined,
    delayMs: 0,
    ...logins,
    ...keys,
    addToken: (init) => tokens.issue(init).token,
    revokeToken: tokens.revoke,
    async startStandby({ status = 307, location } = {}) {
      let hits = 0
      const address = await serve((req, res) => {
        hits += 1
        req.resume()
        const where = location ?? `${vault.address}${req.url}`
        res.writeHead(status, status === 307 ? { location: where } : {}).end(status === 307 ? '' : '{"errors":[]}')
      })
      return {
        address,
        get hits() {
          return hits
        },
      }
    },
    async close() {
      await Promise.all(listening.map((it) => it.close()))
      giveBackKey()
    },
  }
  return vault
}

/** `a/b/c/d`: a, a/b, a/b/c. */
function mountsOf(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}

const refusal = (status: number, message: string): KmsRefusal => new KmsRefusal(status, '', message)
