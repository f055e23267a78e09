import { hash } from 'node:crypto'
import type { CanonicalHeaders } from './canonical-headers.ts'
import type { SigningKey } from './signing-key.ts'
import type { SigningKeys } from './signing-keys.ts'

const ALGORITHM = 'AWS4-HMAC-SHA256'
/** SHA-256 of nothing. */
const EMPTY_HASH = hash('sha256', '', 'hex')

/** What is signed, in the order of the canonical request. */
export interface CanonicalRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: CanonicalHeaders
  /** Lower-case hexadecimal SHA-256 of the payload, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string
}

/** For whom, where and when. */
export interface SigningContext {
  readonly keys: SigningKeys
  /** The clock, in milliseconds since 1970: says which days may be signed for. */
  readonly nowMs: number
  /** `20260822T120000Z` */
  readonly amzDate: string
  /** `20260822/us-east-1/sts` */
  readonly scope: string
  readonly signal: AbortSignal | undefined
}

/**
 * The signature of a canonical request: lower-case hexadecimal digits.
 *
 * @see {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html AWS, "Create a signed request", steps 2 to 5}
 * @throws {SigV4Error} `ERR_SIGV4_DAY`
 * @throws {HmacBackendError}
 */
export async function signCanonical(request: CanonicalRequest, context: SigningContext): Promise<string> {
  const { method, path, query, headers, payloadHash } = request
  const text = `${method}\n${path}\n${query}\n${headers.lines}\n${headers.names}\n${payloadHash}`
  const stringToSign = `${ALGORITHM}\n${context.amzDate}\n${context.scope}/aws4_request\n${hash('sha256', text, 'hex')}`
  const key = context.keys.ready(context.scope) ?? (await keyOf(context))
  return key.sign(stringToSign)
}

/** A key may be zeroed between the moment it is there and the moment we are: then it is derived anew. */
async function keyOf({ keys, scope, nowMs, signal }: SigningContext): Promise<SigningKey> {
  for (;;) {
    const key = await unlessAborted(keys.get(scope, nowMs), signal)
    if (!key.wiped) return key
  }
}

/** The derivation is shared, so a caller that gives up leaves it to the others. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  signal.throwIfAborted()
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** `Credential=…, SignedHeaders=…, Signature=…` with the algorithm before it. */
export const authorization = (accessKeyId: string, scope: string, names: string, signature: string): string =>
  `${ALGORITHM} Credential=${accessKeyId}/${scope}/aws4_request, SignedHeaders=${names}, Signature=${signature}`

/** SHA-256 of a body, in lower-case hexadecimal digits. */
export const payloadHashOf = (body: string | Uint8Array | undefined): string =>
  body === undefined || body.length === 0 ? EMPTY_HASH : hash('sha256', body, 'hex')

let lastSecond = Number.NaN
let lastAmzDate = ''

/** `20260822T120000Z`. Signers ask for the same second many times. */
export function amzDateOf(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) {
    lastAmzDate = new Date(second * 1000).toISOString().replace(/[-:]|\.\d{3}/g, '')
    lastSecond = second
  }
  return lastAmzDate
}

/** What a presigned URL carries in its query beside the request's own, before the signature. */
export const presignPairs = (o: {
  accessKeyId: string
  scope: string
  amzDate: string
  expiresInSeconds: number
  names: string
  sessionToken: string | undefined
}): readonly (readonly [string, string])[] => [
  ['X-Amz-Algorithm', ALGORITHM],
  ['X-Amz-Credential', `${o.accessKeyId}/${o.scope}/aws4_request`],
  ['X-Amz-Date', o.amzDate],
  ['X-Amz-Expires', String(o.expiresInSeconds)],
  ['X-Amz-SignedHeaders', o.names],
  ...(o.sessionToken === undefined ? [] : [['X-Amz-Security-Token', o.sessionToken] as const]),
]
