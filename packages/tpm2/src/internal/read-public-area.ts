import { ALG, curveById } from '../algorithms.ts'
import {
  type AsymmetricScheme,
  type KeyedHashScheme,
  OBJECT_ATTRIBUTES,
  type ObjectAttribute,
  type PublicArea,
  type SymmetricObject,
} from '../public-area.ts'
import type { Reader } from './reader.ts'

/** TPMT_PUBLIC (Part 2 §12.2.4). */
export function readPublicArea(reader: Reader): PublicArea {
  const type = reader.u16()
  const common = { nameAlg: reader.hash(), attributes: readAttributes(reader), authPolicy: reader.sized(64) }
  switch (type) {
    case ALG.rsa:
      return {
        type: 'rsa',
        ...common,
        ...readSymmetric(reader),
        ...readScheme(reader),
        keyBits: reader.u16(),
        exponent: reader.u32(),
        modulus: reader.sized(1024),
      }
    case ALG.ecc: {
      const parameters = { ...readSymmetric(reader), ...readScheme(reader) }
      const curveId = reader.u16()
      const curve = curveById(curveId)
      if (curve === undefined) throw unknown(reader, 'curve', curveId)
      const kdf = reader.u16()
      if (kdf !== ALG.null) throw unknown(reader, 'key derivation', kdf)
      return { type: 'ecc', ...common, ...parameters, curve, x: reader.sized(128), y: reader.sized(128) }
    }
    case ALG.keyedhash:
      return { type: 'keyedhash', ...common, ...readKeyedHashScheme(reader), unique: reader.sized(64) }
    case ALG.symcipher: {
      const { symmetric } = readSymmetric(reader)
      if (symmetric === undefined) throw unknown(reader, 'cipher', ALG.null)
      return { type: 'symcipher', ...common, symmetric, unique: reader.sized(64) }
    }
    default:
      throw unknown(reader, 'type', type)
  }
}

function readAttributes(reader: Reader): readonly ObjectAttribute[] {
  const bits = reader.u32()
  const names = Object.keys(OBJECT_ATTRIBUTES) as ObjectAttribute[]
  const set = names.filter((name) => (bits & (1 << OBJECT_ATTRIBUTES[name])) !== 0)
  const known = set.reduce((sum, name) => sum + 2 ** OBJECT_ATTRIBUTES[name], 0)
  if (known !== bits) throw reader.malformed('reserved attributes are set')
  return set
}

const MODES: Readonly<Record<number, SymmetricObject['mode']>> = {
  [ALG.ctr]: 'ctr',
  [ALG.ofb]: 'ofb',
  [ALG.cbc]: 'cbc',
  [ALG.cfb]: 'cfb',
  [ALG.ecb]: 'ecb',
}

function readSymmetric(reader: Reader): { symmetric?: SymmetricObject } {
  const id = reader.u16()
  if (id === ALG.null) return {}
  if (id !== ALG.aes && id !== ALG.camellia) throw unknown(reader, 'cipher', id)
  const keyBits = reader.u16()
  const modeId = reader.u16()
  const mode = MODES[modeId]
  if (mode === undefined) throw unknown(reader, 'mode', modeId)
  return { symmetric: { algorithm: id === ALG.aes ? 'aes' : 'camellia', keyBits, mode } }
}

const SCHEMES = ['rsassa', 'rsapss', 'oaep', 'rsaes', 'ecdsa', 'ecdh', 'ecdaa'] as const

function readScheme(reader: Reader): { scheme?: AsymmetricScheme } {
  const id = reader.u16()
  if (id === ALG.null) return {}
  const scheme = SCHEMES.find((name) => ALG[name] === id)
  if (scheme === undefined) throw unknown(reader, 'scheme', id)
  if (scheme === 'rsaes') return { scheme: { scheme } }
  const hash = reader.hash()
  return { scheme: scheme === 'ecdaa' ? { scheme, hash, count: reader.u16() } : { scheme, hash } }
}

function readKeyedHashScheme(reader: Reader): { scheme?: KeyedHashScheme } {
  const id = reader.u16()
  if (id === ALG.null) return {}
  if (id === ALG.hmac) return { scheme: { scheme: 'hmac', hash: reader.hash() } }
  if (id === ALG.xor) return { scheme: { scheme: 'xor', hash: reader.hash(), kdf: reader.u16() } }
  throw unknown(reader, 'scheme', id)
}

function unknown(reader: Reader, what: string, id: number): Error {
  return reader.malformed(`${what} 0x${id.toString(16)} is not known`)
}
