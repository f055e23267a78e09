import { listTokens, loadModule, matchesToken, type Pkcs11Uri, parsePkcs11Uri } from '@hardbound/pkcs11'
import { listIdentities } from '@hardbound/roles-anywhere/certificate-data'
import { matchingCertificates, pkcs11Store } from '@hardbound/roles-anywhere/store'
import { CliError } from '../cli-error.ts'
import { asUri, tokenInitOf } from './signer-pkcs11.ts'
import type { ReadCertificateDataFlags } from './types.ts'

/**
 * Lists the certificates of tokens that a URI fits. As with the original it is an error where that a certificate is not there does
 * not follow from none being seen.
 *
 * @throws {CliError} or {RolesAnywhereError}
 */
export async function listTokenCertificates(flags: ReadCertificateDataFlags): Promise<string> {
  const uri = asUri(flags.certificate)
  const init = tokenInitOf(flags, [uri])
  const store = pkcs11Store({ uri, ...init })
  try {
    const found = matchingCertificates(await store.list(), {})
    if (found.length === 0) assertAllSeen(parsePkcs11Uri(uri), init)
    return listIdentities(found.map(({ entry, details }) => ({ details, uri: entry.uri })))
  } finally {
    await store.close()
  }
}

function assertAllSeen(uri: Pkcs11Uri, { modulePath = uri.modulePath, token }: ReturnType<typeof tokenInitOf>): void {
  const module = loadModule({ ...token, modulePath, moduleName: uri.moduleName })
  const tokens = listTokens(module).filter((it) => matchesToken(it, uri))
  module.close()
  if (tokens.length === 0) throw new CliError('no matching slots: there is no such token')
  if (tokens.length > 1) throw new CliError('multiple matching slots: name the serial of the one token that is meant')
  if ((uri.pinSource ?? uri.pinValue) === undefined) {
    throw new CliError(
      'one matching slot, but no user PIN provided: no such certificate is seen without, so add pin-source=file:/path',
    )
  }
}
