import type { AttestationSource } from './attestation-source.ts'
import { BrokerClientError } from './client-errors.ts'
import { connectEkm, type EkmConnectInit, type EkmConnection, type EkmResponse } from './connect.ts'
import { GO_V1_EXPORTER } from './exporter.ts'
import { signGoV1Token } from './go-v1-token.ts'
import { bindingNonce, goV1Nonces } from './nonce.ts'

/** A broker, and how to prove to it what we are. */
export interface BrokerClientInit {
  /** The broker and whom to trust there. A URL without a path gets `/v2/credentials`, or `/token` for Go-v1. */
  broker: Omit<EkmConnectInit, 'exporter' | 'signal'>
  /** The audience that the broker expects in attestation tokens; unique to it. */
  audience: string
  attestation: AttestationSource
  /** `v2`, or `go-v1` for the published Go programs. Default: `v2`. */
  protocol?: 'v2' | 'go-v1'
}

/**
 * One attested request: connect, take the keying material, have it attested together with the request, send both over
 * that same connection.
 *
 * @param want The request's fields: for v2 `target` and its own; for Go-v1 the claims of `token_jwt`.
 * @returns The JSON object of the 200 answer. Secret; its fields are the caller's to check.
 * @throws {EkmTlsError | BrokerClientError}
 */
export async function requestCredentials(
  init: BrokerClientInit,
  want: Readonly<Record<string, unknown>>,
  options: { signal?: AbortSignal } = {},
): Promise<Record<string, unknown>> {
  const goV1 = init.protocol === 'go-v1'
  const signal = options.signal === undefined ? {} : { signal: options.signal }
  const connection = await connectEkm({ ...init.broker, ...signal, ...(goV1 ? { exporter: GO_V1_EXPORTER } : {}) })
  try {
    const { nonces, body } = goV1 ? goV1Request(connection, want) : v2Request(connection, want)
    const attestation = await init.attestation.getToken({ audience: init.audience, nonces, ...signal })
    const response = await connection.request({
      path: pathOf(init.broker.url, goV1 ? '/token' : '/v2/credentials'),
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: Buffer.from(JSON.stringify(body(attestation))),
      ...signal,
    })
    return readAnswer(response, goV1)
  } finally {
    connection.close()
  }
}

interface BoundRequest {
  nonces: readonly string[]
  body: (attestation: string) => Record<string, string>
}

function v2Request({ channel }: EkmConnection, want: Readonly<Record<string, unknown>>): BoundRequest {
  const request = JSON.stringify(want) // hashed exactly as sent
  return {
    nonces: [bindingNonce(channel, Buffer.from(request))],
    body: (attestation) => ({ attestation, request }),
  }
}

function goV1Request({ channel }: EkmConnection, want: Readonly<Record<string, unknown>>): BoundRequest {
  const tokenJwt = signGoV1Token(want, channel.ekm)
  return {
    nonces: goV1Nonces(channel.ekm, tokenJwt),
    body: (attestation) => ({ token_jwt: tokenJwt, attestation_jwt: attestation }),
  }
}

function pathOf(url: string | URL, otherwise: string): string {
  const { pathname, search } = new URL(url)
  return pathname === '/' ? otherwise : `${pathname}${search}`
}

function readAnswer({ status, headers, body }: EkmResponse, goV1: boolean): Record<string, unknown> {
  if (status !== 200) throw refused(status, headers['retry-after'], body)
  let text = body.toString('utf8')
  if (goV1) text = text.replace(/\}\s*ok$/, '}') // the Go server writes `ok` after its JSON
  const answer = parseObject(text)
  if (answer === undefined)
    throw new BrokerClientError('ERR_BROKER_RESPONSE', 'the broker answered 200 without a JSON object')
  return answer
}

function refused(status: number, retryAfter: string | string[] | undefined, body: Buffer): BrokerClientError {
  const error = parseObject(body.toString('utf8'))?.error
  const { code, request_id: requestId } = (typeof error === 'object' && error !== null ? error : {}) as Record<
    string,
    unknown
  >
  const refusal = {
    status,
    code: typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : 'unknown',
    requestId: typeof requestId === 'string' && /^[\w-]{1,64}$/.test(requestId) ? requestId : undefined,
    retryAfterSeconds: typeof retryAfter === 'string' && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined,
  }
  const which = refusal.requestId === undefined ? '' : `, request ${refusal.requestId}`
  return new BrokerClientError('ERR_BROKER_REFUSED', `the broker answered ${status} ${refusal.code}${which}`, {
    refusal,
  })
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
