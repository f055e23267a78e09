import { HmacBackendError, type HmacBackendErrorCode } from '@hardbound/sigv4-hmac/backend'
import { boundedRequest, type HttpAnswer } from './bounded-request.ts'
import { type JsonObject, parseObject } from './checks.ts'

export interface VaultQuestion {
  readonly method: 'GET' | 'POST'
  /** Below `/v1/`. */
  readonly path: string
  readonly body?: object
  readonly token?: string
  readonly signal: AbortSignal
}

/** The nodes of one cluster, as one. */
export interface VaultClient {
  /** @returns What was answered with 2xx; an empty object for 204. @throws {HmacBackendError} */
  ask(question: VaultQuestion): Promise<JsonObject>
}

const MAX_REDIRECTS = 2

/**
 * @param o.nodes Origins. The first that answers is asked first from then on; redirects lead to these and nowhere else.
 * @param o.timeoutMs For each node.
 */
export function createVaultClient(o: {
  nodes: readonly URL[]
  namespace: string | undefined
  ca: string | Buffer | undefined
  timeoutMs: number
}): VaultClient {
  let nodes = [...o.nodes]

  /** One node, and where it sends us. */
  async function askNode(first: URL, question: VaultQuestion): Promise<HttpAnswer> {
    const { method, path, body, token, signal } = question
    let node = first
    for (let hop = 0; ; hop++) {
      const answer = await boundedRequest({
        url: new URL(`/v1/${path}`, node),
        method,
        headers: {
          accept: 'application/json',
          'x-vault-request': 'true',
          ...(token === undefined ? {} : { 'x-vault-token': token }),
          ...(o.namespace === undefined ? {} : { 'x-vault-namespace': o.namespace }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(o.ca === undefined ? {} : { ca: o.ca }),
        signal,
      })
      if (answer.status < 300 || answer.status > 399) {
        if (answer.status < 300) nodes = [node, ...nodes.filter((it) => it.origin !== node.origin)]
        return answer
      }
      if (hop === MAX_REDIRECTS) throw new HmacBackendError('ERR_HMAC_UNAVAILABLE', 'vault: nodes redirect in circles')
      node = redirected(answer, path, node)
    }
  }

  function redirected({ status, location = '' }: HttpAnswer, path: string, from: URL): URL {
    const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined
    const node = nodes.find(({ origin }) => origin === target?.origin)
    if (status !== 307 || target === undefined || node === undefined || target.pathname !== `/v1/${path}`) {
      const why = `vault: ${from.host} redirects to where no address was configured`
      throw new HmacBackendError('ERR_HMAC_UNTRUSTED', why)
    }
    return node
  }

  return {
    async ask(question) {
      let failure: unknown
      for (const node of nodes) {
        const { signal, release } = deadline(question.signal, o.timeoutMs)
        try {
          return read(await askNode(node, { ...question, signal }), node, question.path)
        } catch (cause) {
          failure = cause
          if (question.signal.aborted || !(cause instanceof HmacBackendError) || !PASSING.has(cause.code)) throw cause
        } finally {
          release()
        }
      }
      throw failure
    },
  }
}

/** What another node may do better. */
const PASSING: ReadonlySet<HmacBackendErrorCode> = new Set(['ERR_HMAC_UNAVAILABLE', 'ERR_HMAC_TIMEOUT'])

/** https://developer.hashicorp.com/vault/api-docs#http-status-codes and sys/health */
const REFUSALS: Readonly<Record<number, readonly [code: HmacBackendErrorCode, what: string]>> = {
  400: ['ERR_HMAC_KEY', 'no such key or version'],
  403: ['ERR_HMAC_DENIED', 'permission denied'],
  404: ['ERR_HMAC_KEY', 'no such mount or namespace'],
  405: ['ERR_HMAC_KEY', 'not a transit mount'],
  412: ['ERR_HMAC_UNAVAILABLE', 'not yet replicated here'],
  429: ['ERR_HMAC_UNAVAILABLE', 'a standby, or too many requests'],
  472: ['ERR_HMAC_UNAVAILABLE', 'a disaster-recovery secondary'],
  473: ['ERR_HMAC_UNAVAILABLE', 'a performance standby'],
  503: ['ERR_HMAC_UNAVAILABLE', 'sealed, or in maintenance'],
}

function read({ status, body }: HttpAnswer, node: URL, path: string): JsonObject {
  if (status === 204) return {}
  if (status === 200) {
    const answer = parseObject(body)
    if (answer !== undefined) return answer
    throw new HmacBackendError('ERR_HMAC_RESPONSE', `vault: ${node.host}: not a JSON object`)
  }
  const [code, what] =
    REFUSALS[status] ??
    (status >= 500 ? (['ERR_HMAC_UNAVAILABLE', 'it failed'] as const) : (['ERR_HMAC_RESPONSE', 'not Vault'] as const))
  throw new HmacBackendError(code, `vault: ${node.host}: ${path}: ${what} (HTTP ${status})`)
}

/** Fires with `outer`, or when the time is over. */
export function deadline(outer: AbortSignal, timeoutMs: number): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController()
  const stop = (): void => controller.abort()
  if (outer.aborted) stop()
  outer.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(stop, timeoutMs)
  const release = (): void => {
    clearTimeout(timer)
    outer.removeEventListener('abort', stop)
  }
  return { signal: controller.signal, release }
}
