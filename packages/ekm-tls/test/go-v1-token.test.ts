import { describe, expect, it } from '@jest/globals'
import { openGoV1Token, signGoV1Token } from '../src/client.ts'
import vectors from './vectors/go-v1-token.json' with { type: 'json' }

const ekm = new Uint8Array(Buffer.from(vectors.ekmHex, 'hex'))

describe('Go-v1 request tokens', () => {
  it('are the tokens that the Go JWT library makes', () => {
    expect(signGoV1Token(JSON.parse(vectors.claims) as Record<string, unknown>, ekm)).toBe(vectors.token)
    expect(openGoV1Token(vectors.token, ekm)?.claims.toString()).toBe(vectors.claims)
  })

  const [header, claims, signature] = vectors.token.split('.') as [string, string, string]
  it.each([
    ['another key', vectors.token, new Uint8Array(32)],
    ['J03 no signature', `${header}.${claims}.`, ekm],
    ['J10 a short signature', `${header}.${claims}.${signature.slice(0, -2)}`, ekm],
    ['J11 other claims', `${header}.e30.${signature}`, ekm],
    ['J13 padding', `${vectors.token}=`, ekm],
    ['J13 a line end', `${vectors.token}\n`, ekm],
    ['a fourth segment', `${vectors.token}.e30`, ekm],
    ['nothing', '', ekm],
  ])('are refused with %s', (_name, token, key) => {
    expect(openGoV1Token(token, key)).toBeUndefined()
  })
})
