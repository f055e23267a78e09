import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from '@jest/globals'
import { peerOf } from '../../src/http/peer.ts'
import { PUBLISHED_KEYS } from '../../src/http/published-keys.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const [published] = [...PUBLISHED_KEYS] as [string]

/** The parts of a socket that `peerOf` looks at. */
function socketWith(certificate: object): TLSSocket {
  return { remoteAddress: '192.0.2.1', getPeerCertificate: () => certificate } as unknown as TLSSocket
}
const channelOf = (spkiSha256: string) => ({
  ekm: new Uint8Array(32),
  serverSpkiSha256: new Uint8Array(32),
  clientSpkiSha256: new Uint8Array(Buffer.from(spkiSha256, 'hex')),
})
const GOOD = {
  ca: false,
  ext_key_usage: [CLIENT_AUTH],
  subjectaltname: 'DNS:a.example.com, URI:spiffe://example.com/a',
}

describe('peerOf', () => {
  it('names the key and the alternative names of a client certificate', () => {
    expect(peerOf(socketWith(GOOD), channelOf('ab'.repeat(32)), new Set())).toEqual({
      address: '192.0.2.1',
      spkiSha256: 'ab'.repeat(32),
      san: { dns: ['a.example.com'], uri: ['spiffe://example.com/a'] },
    })
  })

  it.each([
    ['T04 a CA', { ...GOOD, ca: true }],
    ['T04 a certificate for servers', { ...GOOD, ext_key_usage: ['1.3.6.1.5.5.7.3.1'] }],
    ['T04 a certificate that does not say what it is for', { ca: false }],
    ['no certificate after all', {}],
  ])('is nobody for %s', (_name, certificate) => {
    expect(peerOf(socketWith(certificate), channelOf('ab'.repeat(32)), new Set())).toBeUndefined()
  })

  it('T06 is nobody for a key that is published, or turned away', () => {
    expect(peerOf(socketWith(GOOD), channelOf(published), new Set())).toBeUndefined()
    expect(peerOf(socketWith(GOOD), channelOf('ab'.repeat(32)), new Set(['ab'.repeat(32)]))).toBeUndefined()
  })
})
