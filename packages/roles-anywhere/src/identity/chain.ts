import { X509Certificate } from 'node:crypto'
import { RolesAnywhereError } from '../errors.ts'
import { DER, derValue, readDer, readDerOne } from '../internal/der.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { verifyMlDsa } from './ml-dsa.ts'
import { publicKeyOfCertificate } from './public-key.ts'

/** What the service takes in `X-Amz-X509-Chain`. */
const MAX_CHAIN = 5
/** What is looked at. */
const MAX_CERTIFICATES = 256

/**
 * Makes the chain of a leaf: its issuer, the issuer of that, and so on, by names and signatures. What leads nowhere is left out, and so
 * are the leaf and what signed itself: the service has the root as its trust anchor.
 *
 * @param where For messages: the file or device that the certificates are from.
 * @param onWarning Told where there are intermediates, and none of this leaf.
 * @returns DER, the issuer of the leaf first.
 * @throws {RolesAnywhereError} `ERR_RA_CHAIN`, `ERR_RA_CERTIFICATE`
 */
export async function chainOf(
  leaf: Uint8Array,
  others: readonly Uint8Array[],
  where: string,
  onWarning?: OnRolesAnywhereWarning,
): Promise<Uint8Array[]> {
  if (others.length > MAX_CERTIFICATES) {
    throw chainError(`${where} has ${others.length} certificates: leave the intermediates of the leaf alone`)
  }
  const chain = [parseCertificate(leaf, where)]
  const left = new Map<string, X509Certificate>()
  for (const der of others) {
    const it = parseCertificate(der, where)
    if (!it.raw.equals(leaf) && !(await isIssuerOf(it, it))) left.set(it.fingerprint512, it)
  }
  const hadSome = left.size > 0
  for (const child of chain) {
    if (chain.length > MAX_CHAIN + 1) break // too long already
    for (const [key, candidate] of left) {
      if (!(await isIssuerOf(candidate, child))) continue
      left.delete(key)
      chain.push(candidate) // and so its issuer is looked for too
    }
  }
  chain.shift()
  if (hadSome && chain.length === 0) {
    const message = `no certificate in ${where} issued the leaf, so none is sent: if the service does not trust it, put its issuer there`
    onWarning?.({ code: 'WARN_RA_CHAIN', message })
  }
  if (chain.length > MAX_CHAIN) {
    throw chainError(`the chain in ${where} has more than the ${MAX_CHAIN} intermediates that the service takes`)
  }
  return chain.map((it) => it.raw)
}

/** @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE` */
export function parseCertificate(der: Uint8Array, where: string): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch {
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `a certificate in ${where} can not be read`)
  }
}

/** By name and signature. Node's `checkIssued` says no wherever OpenSSL does not know the issuer's kind of key. */
async function isIssuerOf(candidate: X509Certificate, child: X509Certificate): Promise<boolean> {
  return child.issuer === candidate.subject && (await hasSigned(candidate, child))
}

async function hasSigned(issuer: X509Certificate, child: X509Certificate): Promise<boolean> {
  try {
    return child.verify(issuer.publicKey)
  } catch {
    return hasSignedByMlDsa(issuer, child) // `publicKey` throws for what OpenSSL does not know
  }
}

async function hasSignedByMlDsa(issuer: X509Certificate, child: X509Certificate): Promise<boolean> {
  try {
    const key = publicKeyOfCertificate(issuer.raw)
    if (key.keyType !== 'ml-dsa') return false
    const [tbs, , signature] = readDer(readDerOne(child.raw, DER.sequence))
    if (tbs === undefined) return false
    return await verifyMlDsa(key.set, key.octets, tbs.raw, derValue(signature, DER.bitString).subarray(1))
  } catch {
    return false
  }
}

const chainError = (why: string): RolesAnywhereError => new RolesAnywhereError('ERR_RA_CHAIN', why)
