import { createHash } from 'node:crypto'
import { ALG, CURVES, HASHES } from './algorithms.ts'
import { concat, sized, u16, u32 } from './internal/octets.ts'
import { readPublicArea } from './internal/read-public-area.ts'
import { Reader } from './internal/reader.ts'
import {
  type AsymmetricScheme,
  type KeyedHashScheme,
  OBJECT_ATTRIBUTES,
  type PublicArea,
  type SymmetricObject,
} from './public-area.ts'

/**
 * Encodes a public area, or a template for one.
 *
 * @returns TPM2B_PUBLIC: the 16-bit size, then the TPMT_PUBLIC. The same octets are in tpm2-tools' `.pub` files.
 */
export function encodePublic(area: PublicArea): Uint8Array {
  return sized(encodePublicArea(area))
}

/**
 * Decodes a TPM2B_PUBLIC. What it returns encodes to the same octets, so that names can be computed from it.
 *
 * @throws {Tpm2Error} `ERR_TPM_RESPONSE` on octets that are not exactly one, or algorithms and attributes not known here.
 */
export function decodePublic(bytes: Uint8Array): PublicArea {
  const reader = new Reader(bytes, 'TPM2B_PUBLIC')
  const area = reader.sizedStructure(readPublicArea)
  reader.end()
  return area
}

/** The object's name (Part 1 §16): the 16-bit id of `nameAlg`, and the digest of the TPMT_PUBLIC. */
export function nameOf(area: PublicArea): Uint8Array {
  const digest = createHash(area.nameAlg).update(encodePublicArea(area)).digest()
  return concat(u16(HASHES[area.nameAlg].id), digest)
}

/** TPMT_PUBLIC without a size. */
function encodePublicArea(area: PublicArea): Uint8Array {
  return concat(
    u16(ALG[area.type]),
    u16(HASHES[area.nameAlg].id),
    u32(area.attributes.reduce((bits, name) => bits | (1 << OBJECT_ATTRIBUTES[name]), 0)),
    sized(area.authPolicy),
    encodeParameters(area),
  )
}

/** TPMU_PUBLIC_PARMS and TPMU_PUBLIC_ID. */
function encodeParameters(area: PublicArea): Uint8Array {
  switch (area.type) {
    case 'rsa':
      return concat(
        encodeSymmetric(area.symmetric),
        encodeScheme(area.scheme),
        u16(area.keyBits),
        u32(area.exponent),
        sized(area.modulus),
      )
    case 'ecc':
      return concat(
        encodeSymmetric(area.symmetric),
        encodeScheme(area.scheme),
        u16(CURVES[area.curve].id),
        u16(ALG.null), // kdf: "there is no specification that uses it", Part 2 §12.2.3.6
        sized(area.x),
        sized(area.y),
      )
    case 'keyedhash':
      return concat(encodeKeyedHashScheme(area.scheme), sized(area.unique))
    case 'symcipher':
      return concat(encodeSymmetric(area.symmetric), sized(area.unique))
  }
}

function encodeSymmetric(symmetric: SymmetricObject | undefined): Uint8Array {
  if (symmetric === undefined) return u16(ALG.null)
  return concat(u16(ALG[symmetric.algorithm]), u16(symmetric.keyBits), u16(ALG[symmetric.mode]))
}

function encodeScheme(scheme: AsymmetricScheme | undefined): Uint8Array {
  if (scheme === undefined) return u16(ALG.null)
  return concat(
    u16(ALG[scheme.scheme]),
    ...(scheme.hash === undefined ? [] : [u16(HASHES[scheme.hash].id)]),
    ...(scheme.count === undefined ? [] : [u16(scheme.count)]),
  )
}

function encodeKeyedHashScheme(scheme: KeyedHashScheme | undefined): Uint8Array {
  if (scheme === undefined) return u16(ALG.null)
  return concat(
    u16(ALG[scheme.scheme]),
    u16(HASHES[scheme.hash].id),
    ...(scheme.scheme === 'xor' ? [u16(scheme.kdf)] : []),
  )
}
