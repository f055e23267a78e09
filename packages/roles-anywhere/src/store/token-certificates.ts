import type { Handle, LoadModuleInit, Pkcs11Module, Pkcs11Session, Pkcs11Uri, TokenInfo } from '@hardbound/pkcs11'
import type { Pkcs11Certificate } from '@hardbound/pkcs11/signing-key'

const CKF_SERIAL_SESSION = 4

/** Certificates, and the token they are in. */
export interface TokenCertificates {
  readonly token: TokenInfo
  readonly certificates: readonly Pkcs11Certificate[]
}

/**
 * Reads the certificates of every token that a URI fits, as far as they can be seen without a PIN.
 *
 * @throws {Pkcs11Error}
 */
export async function readTokenCertificates(uri: Pkcs11Uri, init: LoadModuleInit): Promise<TokenCertificates[]> {
  const [{ listTokens, loadModule, matchesToken }, { readCertificates }] = await Promise.all([
    import('@hardbound/pkcs11'),
    import('@hardbound/pkcs11/signing-key'),
  ])
  const module = loadModule(init)
  try {
    return listTokens(module)
      .filter((token) => matchesToken(token, uri))
      .map((token) => ({
        token,
        certificates: inSession(module, token, (session) => readCertificates(session, uri)),
      }))
  } finally {
    module.close()
  }
}

/** A session of our own, closed again: whoever else uses the token in this process is not logged out. */
function inSession(
  { cryptoki }: Pkcs11Module,
  { slot }: TokenInfo,
  read: (session: Pkcs11Session) => Pkcs11Certificate[],
) {
  let handle: Handle
  try {
    handle = cryptoki.C_OpenSession(slot, CKF_SERIAL_SESSION)
  } catch {
    return [] // it was taken out just now, or has no session left: none of its certificates can be used either
  }
  try {
    const pace = { inPlace: true, took: () => undefined }
    return read({ cryptoki, slot, handle, generation: 0, pace, loginFor: () => undefined })
  } finally {
    cryptoki.C_CloseSession(handle)
  }
}
