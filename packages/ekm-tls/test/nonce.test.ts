import { describe, expect, it } from '@jest/globals'
import { bindingNonce, type Channel, goV1Nonces } from '../src/index.ts'
import vectors from './vectors/binding.json' with { type: 'json' }

const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

function channelOf(it: { ekmHex: string; serverSpkiSha256Hex: string; clientSpkiSha256Hex: string | null }): Channel {
  return {
    ekm: octets(it.ekmHex),
    serverSpkiSha256: octets(it.serverSpkiSha256Hex),
    clientSpkiSha256: it.clientSpkiSha256Hex === null ? undefined : octets(it.clientSpkiSha256Hex),
  }
}

describe('bindingNonce', () => {
  it.each(vectors.v2)('gives the published nonce: $name', (it) => {
    expect(bindingNonce(channelOf(it), Buffer.from(it.request, 'utf8'))).toBe(it.nonce)
  })

  it('E14 E28 E30 commits to every part: a change of any one of them changes the nonce', () => {
    const base = channelOf(vectors.v2[1]!)
    const request = Buffer.from(vectors.v2[1]!.request)
    const flip = (value: Uint8Array): Uint8Array => value.map((octet, i) => (i === 0 ? octet ^ 1 : octet))
    const swapped = { ...base, serverSpkiSha256: base.clientSpkiSha256!, clientSpkiSha256: base.serverSpkiSha256 }
    const nonces = [
      bindingNonce(base, request),
      bindingNonce({ ...base, ekm: flip(base.ekm) }, request),
      bindingNonce({ ...base, serverSpkiSha256: flip(base.serverSpkiSha256) }, request),
      bindingNonce({ ...base, clientSpkiSha256: flip(base.clientSpkiSha256!) }, request),
      bindingNonce({ ...base, clientSpkiSha256: undefined }, request),
      bindingNonce(swapped, request), // the same connection as its other end would have it
      bindingNonce(base, Buffer.concat([request, Buffer.from(' ')])),
    ]
    expect(new Set(nonces).size).toBe(nonces.length)
    for (const nonce of nonces) expect(nonce).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it.each([16, 31, 33, 48])('E12 refuses keying material of %d octets', (length) => {
    const channel = { ...channelOf(vectors.v2[0]!), ekm: new Uint8Array(length) }
    expect(() => bindingNonce(channel, new Uint8Array(0))).toThrow(RangeError)
  })
})

describe('goV1Nonces', () => {
  it.each(vectors.goV1)('gives the published nonces: $name', ({ ekmHex, tokenJwt, nonces }) => {
    expect(goV1Nonces(octets(ekmHex), tokenJwt)).toEqual(nonces)
  })
})
