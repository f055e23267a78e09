import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { canonicalHeaders, type Headers } from '../src/canonical-headers.ts'
import { canonicalPath, canonicalQuery, parseQuery } from '../src/canonical-uri.ts'
import { createHmacSigner } from '../src/create-hmac-signer.ts'
import type { HmacBackend } from '../src/hmac-backend.ts'
import { payloadHashOf, presignPairs, signCanonical } from '../src/sign-canonical.ts'
import { signingKeysOf } from '../src/signing-keys.ts'
import { softwareHmac } from '../src/software-backend.ts'
import suite from './vectors/aws-sigv4-test-suite.json' with { type: 'json' }

type Case = (typeof suite.cases)[number]

/** As long as those of AWS; the suite's `AKIDEXAMPLE` is no part of what the header form signs. */
const ACCESS_KEY_ID = 'AKIAIOSFODNN7EXAMPLE'
const backends = new Map<string, HmacBackend>()

function backendOf({ secretAccessKey }: Case): HmacBackend {
  const backend = backends.get(secretAccessKey) ?? softwareHmac({ secretAccessKey })
  backends.set(secretAccessKey, backend)
  return backend
}

/**
 * The request as our callers have it. The suite's paths are not encoded yet where they are normalised, but for one, and its
 * unnormalised ones are encoded once, which is what S3 does.
 */
function requestOf({ request, normalizePath }: Case) {
  const [path = '', query = ''] = request.target.split('?')
  const headers: Record<string, string[]> = {}
  for (const [name = '', value = ''] of request.headers) {
    if (name === 'Host') continue
    const unfolded = value.replace(/\n[ \t]+/g, ' ') // RFC 9112 §5.2: as any HTTP library hands it over
    headers[name] = [...(headers[name] ?? []), unfolded]
  }
  const host = request.headers.find(([name]) => name === 'Host')![1]!
  const rule = normalizePath ? ('other' as const) : ('s3' as const)
  return { host, path: normalizePath ? decodeURIComponent(path) : encodeURI(path), query, rule, headers }
}

const clockOf = (it: Case) => () => Date.parse(it.timestamp)
const amzDateOf = (it: Case) => it.timestamp.replace(/[-:]/g, '')
const scopeOf = (it: Case) => `${amzDateOf(it).slice(0, 8)}/${it.region}/${it.service}`
/** Only the case with a token that is put in afterwards leaves it out of the signature. */
const signedToken = (it: Case) => ('omitSessionToken' in it ? undefined : it.sessionToken)

/** Canonical request and signature of the query form: `presign`'s own steps, with the suite's short access key id. */
async function presigned(it: Case) {
  const { host, path, query, rule, headers } = requestOf(it)
  const signed = canonicalHeaders({ ...headers, host })
  const sessionToken = signedToken(it)
  const { accessKeyId, expiresInSeconds } = it
  const [scope, amzDate, names] = [scopeOf(it), amzDateOf(it), signed.names]
  const pairs = presignPairs({ accessKeyId, scope, amzDate, expiresInSeconds, names, sessionToken })
  const request = {
    method: it.request.method,
    path: canonicalPath(path, rule),
    query: canonicalQuery([...parseQuery(query), ...pairs]),
    headers: signed,
    payloadHash: payloadHashOf(it.request.body),
  }
  const context = { keys: signingKeysOf(backendOf(it)), nowMs: clockOf(it)(), amzDate, scope, signal: undefined }
  return { canonical: textOf(request), signature: await signCanonical(request, context) }
}

function headerCanonical(it: Case, sent: Headers): string {
  const { path, query, rule } = requestOf(it)
  const { authorization: _, ...headers } = sent
  return textOf({
    method: it.request.method,
    path: canonicalPath(path, rule),
    query: canonicalQuery(parseQuery(query)),
    headers: canonicalHeaders(headers),
    payloadHash: payloadHashOf(it.request.body),
  })
}

const textOf = (it: Parameters<typeof signCanonical>[0]): string =>
  [it.method, it.path, it.query, it.headers.lines, it.headers.names, it.payloadHash].join('\n')
const stringToSign = (it: Case, canonical: string): string =>
  `AWS4-HMAC-SHA256\n${amzDateOf(it)}\n${scopeOf(it)}/aws4_request\n${createHash('sha256').update(canonical).digest('hex')}`

describe(`S01 the AWS SigV4 test suite, ${suite.version}`, () => {
  it('is all there', () => {
    expect(suite.cases).toHaveLength(38)
  })

  it.each(suite.cases)('S01 signs the header: $name', async (it) => {
    const { host, path, query, rule, headers } = requestOf(it)
    const sessionToken = signedToken(it)
    const signer = createHmacSigner({
      backend: backendOf(it),
      accessKeyId: ACCESS_KEY_ID,
      region: it.region,
      service: it.service,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      pathRule: rule,
      contentSha256Header: it.signBody,
      clock: clockOf(it),
    })
    const target = query === '' ? path : `${path}?${query}`
    const { method, body } = it.request
    const sent = await signer.sign({ method, host, path: target, headers, body })
    expect(headerCanonical(it, sent)).toBe(it.header.canonicalRequest)
    expect(stringToSign(it, it.header.canonicalRequest)).toBe(it.header.stringToSign)
    const names = it.header.canonicalRequest.split('\n').at(-2)!
    expect(sent.authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY_ID}/${scopeOf(it)}/aws4_request, SignedHeaders=${names}, Signature=${it.header.signature}`,
    )
  })

  it.each(suite.cases)('S01 signs the query: $name', async (it) => {
    const { canonical, signature } = await presigned(it)
    expect(canonical).toBe(it.query.canonicalRequest)
    expect(stringToSign(it, canonical)).toBe(it.query.stringToSign)
    expect(signature).toBe(it.query.signature)
  })
})
