import { createPublicKey, type KeyObject } from 'node:crypto'
import { CURVES } from '../algorithms.ts'
import { padded, u32 } from '../internal/octets.ts'
import { unfit } from '../keys/key.ts'
import type { EccPublicArea, RsaPublicArea } from '../public-area.ts'

const JWK_CURVES = { p256: 'P-256', p384: 'P-384', p521: 'P-521' } as const

/** The public key of a public area (Part 2 §12.2.3.5 and §12.2.3.6), as a JWK of RFC 7518 §6.2 and §6.3 has it. */
export function publicKeyOf(area: RsaPublicArea | EccPublicArea): KeyObject {
  try {
    return createPublicKey({ key: area.type === 'rsa' ? rsaJwk(area) : eccJwk(area), format: 'jwk' })
  } catch {
    throw unfit('its public area is not a valid key') // the cause would only repeat the octets
  }
}

const rsaJwk = ({ modulus, exponent }: RsaPublicArea) => ({
  kty: 'RSA',
  n: base64url(modulus),
  e: base64url(u32(exponent === 0 ? 65_537 : exponent)),
})

/** TPMs may leave leading zeros of coordinates out; RFC 7518 §6.2.1.2 has them. */
const eccJwk = ({ curve, x, y }: EccPublicArea) => ({
  kty: 'EC',
  crv: JWK_CURVES[curve],
  x: base64url(padded(x, CURVES[curve].size)),
  y: base64url(padded(y, CURVES[curve].size)),
})

const base64url = (octets: Uint8Array) => Buffer.from(octets).toString('base64url')
