import { sign, X509Certificate } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { prepareX509Request, type X509SignableRequest } from '../src/sign-request.ts'
import type { X509KeyType } from '../src/types.ts'
import vectors from './vectors/roles-anywhere-vectors.json' with { type: 'json' }

const leaf = new X509Certificate(vectors.certPem)
const ca = new X509Certificate(vectors.caPem)
const NOW = Date.UTC(2026, 10, 1, 12)
const request = (over: Partial<X509SignableRequest> = {}): X509SignableRequest => ({
  host: vectors.inputs.host,
  path: '/sessions',
  query: vectors.inputs.query,
  headers: { 'content-type': 'application/json' },
  body: vectors.A_minimal.body,
  ...over,
})
const context = (chain: Uint8Array[] = [], keyType: X509KeyType = 'rsa') => ({
  identity: { certificate: leaf.raw, chain, keyType },
  serial: vectors.A_minimal.serialDecimal,
  region: vectors.inputs.region,
  nowMs: NOW,
})
const signed = (text: string): Uint8Array => sign('sha256', Buffer.from(text), vectors.keyPem)

describe('prepareX509Request', () => {
  it('S01: gives vector A, byte for byte', () => {
    const prepared = prepareX509Request(request(), context())
    expect(prepared.canonicalRequest).toBe(vectors.A_minimal.canonicalRequest)
    expect(prepared.stringToSign).toBe(vectors.A_minimal.stringToSign)
    expect(prepared.target).toBe(`/sessions?${vectors.A_minimal.rawQuery}`)
    const { authorization } = prepared.headersWith(signed(prepared.stringToSign))
    expect(authorization).toBe(vectors.A_minimal.authorization)
  })

  it('S01: gives vector B: the headers of an SDK, a chain of two', () => {
    const { body, headers } = vectors.B_chain
    const prepared = prepareX509Request(
      request({ body, headers: { ...headers, 'content-type': 'application/json' } }),
      context([ca.raw, ca.raw]),
    )
    expect(prepared.stringToSign).toBe(vectors.B_chain.stringToSign)
    const sent = prepared.headersWith(signed(prepared.stringToSign))
    expect(sent.authorization).toBe(vectors.B_chain.authorization)
    const base64 = ca.raw.toString('base64')
    expect(sent['x-amz-x509-chain']).toBe(`${base64},${base64}`)
  })

  it('S10: another time gives another date, scope and string to sign', () => {
    const later = prepareX509Request(request(), { ...context(), nowMs: NOW + 86_400_000 })
    expect(later.stringToSign).toContain('\n20261102T120000Z\n20261102/us-east-1/')
  })

  it.each([
    ['ec', 'AWS4-X509-ECDSA-SHA256'],
    ['ml-dsa', 'AWS4-X509-MLDSA'],
  ] as const)('names the algorithm of a key: %s', (keyType, algorithm) => {
    const prepared = prepareX509Request(request(), context([], keyType))
    expect(prepared.stringToSign.split('\n')[0]).toBe(algorithm)
    expect(prepared.headersWith(Uint8Array.of(1, 0xab)).authorization).toMatch(new RegExp(`^${algorithm} Cred.*=01ab$`))
  })

  it('sorts and encodes what is in the query, and squeezes spaces in headers', () => {
    const prepared = prepareX509Request(
      request({ query: { b: "*'()!", 'a b': 'é/:~' }, headers: { 'x-a': '  one   two ' } }),
      context(),
    )
    expect(prepared.target).toBe('/sessions?a%20b=%C3%A9%2F%3A~&b=%2A%27%28%29%21')
    expect(prepared.canonicalRequest).toContain('\nx-a: one two\n')
  })
})
