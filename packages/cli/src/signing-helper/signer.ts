import { pemIdentity, pkcs12Identity, type X509IdentitySource } from '@hardbound/roles-anywhere'
import { CliError } from '../cli-error.ts'
import { given } from '../internal/flags.ts'
import { askSecret } from './ask-secret.ts'
import { type SignerKind, signerKindOf } from './signer-kind.ts'
import type { OnHelperWarning, SignerFlags } from './types.ts'

/**
 * Opens what signs: certificate, chain and private key that belong together. A password or PIN that is needed and was not given is asked
 * for on the terminal, once; that is over when this returns. Files are read again when they change.
 *
 * @throws {CliError} where the flags do not say what to use.
 * @throws {RolesAnywhereError} with `ERR_RA_…` where that can't be used.
 */
export async function signerOf(flags: SignerFlags, onWarning: OnHelperWarning): Promise<X509IdentitySource> {
  const source = await sourceOf(signerKindOf(flags), flags, onWarning)
  try {
    await source.current()
    return source
  } catch (error) {
    void source.close().catch(() => {}) // a device that hangs is not waited for with what there is to say
    throw error
  }
}

async function sourceOf(kind: SignerKind, flags: SignerFlags, onWarning: OnHelperWarning): Promise<X509IdentitySource> {
  switch (kind) {
    case 'pem': {
      const { certificate, 'private-key': key, intermediates } = flags
      return pemIdentity({
        certificateFile: certificateOf(certificate),
        ...given('privateKeyFile', key || undefined),
        ...given('intermediatesFile', intermediates || undefined),
        password: pkcs8PasswordOf(flags),
        onWarning,
      })
    }
    case 'pkcs12': {
      // The empty one is tried first; the original knows no other.
      const { certificate: file, 'pkcs8-password': password } = flags
      return pkcs12Identity({ file, password: () => password || askSecret(`Password of ${file}`), onWarning })
    }
    case 'pkcs11':
      return (await import('./signer-pkcs11.ts')).pkcs11Signer(flags, onWarning)
    case 'tpm':
      return (await import('./signer-tpm.ts')).tpmSigner(flags, certificateOf(flags.certificate), onWarning)
    case 'store':
      return (await import('./signer-store.ts')).storeSigner(flags, onWarning)
  }
}

/** Of a private key in PKCS #8: what was given, and then the key must be encrypted; else what somebody types, if it is. */
export function pkcs8PasswordOf(flags: SignerFlags): string | (() => Promise<Buffer>) {
  const { 'pkcs8-password': password, 'private-key': key, certificate } = flags
  return password || (() => askSecret(`Password of the private key in ${key || certificate}`))
}

function certificateOf(certificate: string): string {
  if (certificate !== '') return certificate
  throw new CliError('--certificate is missing: the private key alone does not tell whose it is')
}
