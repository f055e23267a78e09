import { X509Certificate } from 'node:crypto'
import { type LoneKey, openPemKey, type SignatureHash, signTestString } from '@hardbound/roles-anywhere'
import { warningsOf } from './open-session.ts'
import { pkcs8PasswordOf, signerOf } from './signer.ts'
import { signerKindOf } from './signer-kind.ts'
import type { OnHelperWarning, SignerFlags, SignStringFlags } from './types.ts'

/**
 * Signs the test message, as `sign-string` does. A private key in a file or a TPM does it alone, whatever the certificate.
 *
 * @returns What goes to stdout: no line feed is to follow.
 * @throws {CliError} or {RolesAnywhereError}
 */
export async function signString(
  flags: SignStringFlags,
  onWarning: OnHelperWarning = warningsOf(flags),
): Promise<Buffer> {
  const signer: SignerFlags = { ...flags, intermediates: '' }
  const how = { digest: flags.digest.toLowerCase() as SignatureHash, format: flags.format }
  const alone = await openAlone(signer)
  if (alone === undefined) {
    const source = await signerOf(signer, onWarning)
    return closing(source, async () => {
      const identity = await source.current()
      return signTestString({ ...how, key: identity, certificate: identity.certificate })
    })
  }
  return closing(alone, async () => {
    const { publicKey } = alone
    await readCertificate(flags.certificate, alone, onWarning)
    return signTestString({ ...how, key: alone, publicKey })
  })
}

/** @returns undefined where certificate and key come together. */
async function openAlone(flags: SignerFlags): Promise<LoneKey | undefined> {
  const kind = signerKindOf(flags)
  if (kind === 'tpm') return (await import('./signer-tpm.ts')).tpmKey(flags)
  if (kind === 'pem') {
    return openPemKey({ file: flags['private-key'] || flags.certificate, password: pkcs8PasswordOf(flags) })
  }
  return kind === 'pkcs11' && flags.certificate === ''
    ? (await import('./signer-pkcs11.ts')).pkcs11Key(flags)
    : undefined
}

/** It has to be one; that it is another key's is worth a word. */
async function readCertificate(file: string, { publicKey }: LoneKey, onWarning: OnHelperWarning): Promise<void> {
  if (file === '') return
  const { readCertificateData } = await import('@hardbound/roles-anywhere/certificate-data')
  const { certificateData, keyType } = await readCertificateData(file)
  const mine = publicKey?.export({ type: 'spki', format: 'der' })
  const certified = keyType.startsWith('ML-DSA') ? undefined : publicKeyOf(Buffer.from(certificateData, 'base64'))
  if (mine === undefined ? certified === undefined : certified?.equals(mine)) return
  onWarning({ code: 'WARN_RA_MISMATCH', message: `the private key is not that of the certificate in ${file}` })
}

/** @returns undefined for a key that Node does not know. */
function publicKeyOf(certificate: Buffer): Buffer | undefined {
  try {
    return new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
  } catch {
    return undefined
  }
}

/** A device that hangs is not waited for with what there is to say. */
async function closing(it: { close(): Promise<void> }, work: () => Promise<Uint8Array>): Promise<Buffer> {
  try {
    return Buffer.from(await work())
  } finally {
    void it.close().catch(() => {})
  }
}
