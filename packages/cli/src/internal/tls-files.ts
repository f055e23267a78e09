import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { BrokerTls } from '@hardbound/broker-core'
import type { BrokerConfig } from '../broker-config.ts'
import { checkDates } from './check-dates.ts'
import type { Findings } from './config-error.ts'

const MAX_CERTIFICATES = 1000

/**
 * Reads and checks what `tls` names: that the key is private and belongs to the certificate, which is valid now, and that
 * there is an authority where clients are to be verified.
 *
 * @param now Milliseconds since the epoch.
 * @returns `undefined`, and problems, where the server could not start with it.
 */
export async function readTlsFiles(
  config: BrokerConfig,
  findings: Findings,
  now: number,
): Promise<BrokerTls | undefined> {
  const { tls, pathOf } = config
  const read = async (key: 'certificate_file' | 'key_file' | 'client_ca_file' | 'crl_file') => {
    const file = tls[key]
    return file === undefined ? undefined : findings.read(`tls.${key}`, pathOf(file))
  }
  const before = findings.problems.length
  const cert = await read('certificate_file')
  const key = await read('key_file')
  const clientCa = await read('client_ca_file')
  const crl = await read('crl_file')
  if (cert === undefined || key === undefined) return undefined

  await checkKeyMode(pathOf(tls.key_file), findings)
  const certificate = parseCertificates(cert, 'tls.certificate_file', findings)?.[0]
  const privateKey = parseKey(key, findings)
  if (certificate !== undefined) {
    checkDates(certificate, 'tls.certificate_file', findings, now)
    if (privateKey !== undefined && !certificate.checkPrivateKey(privateKey)) {
      findings.add('tls.key_file', 'is not the key of tls.certificate_file')
    }
  }
  if (clientCa !== undefined) parseCertificates(clientCa, 'tls.client_ca_file', findings)
  if (crl !== undefined && !crl.includes('-----BEGIN X509 CRL-----'))
    findings.add('tls.crl_file', 'holds no CRL in PEM')
  if (findings.problems.length > before) return undefined

  const files = { cert, key, ...(crl === undefined ? {} : { crl }) }
  try {
    createSecureContext({ ...files, ...(clientCa === undefined ? {} : { ca: clientCa }) })
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    findings.add('tls', `OpenSSL refuses these files (${code})`)
    return undefined
  }
  return {
    ...files,
    ...(clientCa === undefined ? {} : { clientCa }),
    ...(tls.refused_spki_sha256 === undefined ? {} : { refusedSpkiSha256: tls.refused_spki_sha256 }),
  }
}

async function checkKeyMode(file: string, findings: Findings): Promise<void> {
  const { mode } = await stat(file)
  if ((mode & 0o077) === 0) return
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  findings.add('tls.key_file', `${file} is open to others (mode ${octal}); chmod 600 it`)
}

/** Problems go to `findings`. */
export function parseCertificates(pem: string, path: string, findings: Findings): X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) return void findings.add(path, 'holds no certificate in PEM')
  if (blocks.length > MAX_CERTIFICATES) return void findings.add(path, `holds over ${MAX_CERTIFICATES} certificates`)
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return void findings.add(path, "holds a certificate that can't be read")
  }
}

function parseKey(pem: string, findings: Findings): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    const isEncrypted = pem.includes('ENCRYPTED') // RFC 7468 §11, and Proc-Type of RFC 1421
    return void findings.add('tls.key_file', isEncrypted ? 'is encrypted' : 'holds no private key in PEM')
  }
}
