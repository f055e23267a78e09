import { RolesAnywhereError, type RolesAnywhereErrorCode } from '../errors.ts'
import type { Named } from './make-identity.ts'
import { type PemBlock, readPemBlocks } from './pem-blocks.ts'

/**
 * Reads the certificates of a file, in its order. Other blocks are left alone, as a key may be there too.
 *
 * @returns DER, one at least.
 * @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE`
 */
export function readPemCertificates({ from, value }: Named<Uint8Array>): [Uint8Array, ...Uint8Array[]] {
  const blocks = blocksOf({ from, value }, 'ERR_RA_CERTIFICATE')
  for (const it of blocks) if (!isCertificate(it)) it.der.fill(0)
  const [first, ...rest] = blocks.filter(isCertificate)
  if (first !== undefined) return [first.der, ...rest.map(({ der }) => der)]
  const cure =
    value[0] === 0x30 ? `it may be DER: openssl x509 -inform der -in ${from} -out cert.pem` : 'it has to be PEM'
  throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `no certificate is in ${from}: ${cure}`)
}

/**
 * Reads a bundle of intermediates, in which nothing else may be. An empty one is none.
 *
 * @throws {RolesAnywhereError} `ERR_RA_CHAIN`
 */
export function readPemBundle({ from, value }: Named<Uint8Array>): Uint8Array[] {
  const blocks = blocksOf({ from, value }, 'ERR_RA_CHAIN')
  const other = blocks.find((it) => !isCertificate(it))
  if (other === undefined) return blocks.map(({ der }) => der)
  throw new RolesAnywhereError('ERR_RA_CHAIN', `a ${other.label} is in ${from}: only certificates belong there`)
}

/** @throws {RolesAnywhereError} with `code` where a block is cut off or not base64. */
export function blocksOf({ from, value }: Named<Uint8Array>, code: RolesAnywhereErrorCode): PemBlock[] {
  try {
    return readPemBlocks(value)
  } catch (error) {
    throw new RolesAnywhereError(code, `${from} can not be read: ${(error as SyntaxError).message}`)
  }
}

const isCertificate = ({ label }: PemBlock): boolean => label === 'CERTIFICATE'
