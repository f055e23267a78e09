import { createHash } from 'node:crypto'
import type { X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { deviceKey } from './device-key.ts'
import { assertPaths, type Loaded } from './file-source.ts'
import { createGenerations } from './generations.ts'
import { makeIdentity } from './make-identity.ts'
import { keepPassword, type Password } from './password.ts'
import { readPemBundle, readPemCertificates } from './pem-certificates.ts'
import { findKey } from './pkcs11-find.ts'
import { type IdentityToken, type IdentityTokenInit, openIdentityToken } from './pkcs11-token.ts'
import { type FileSnapshot, octetsIn } from './read-file.ts'

/** A private key in a PKCS #11 token, and its certificate there or in a file. */
export interface Pkcs11IdentityInit extends IdentityTokenInit {
  /** `pkcs11:` URI of the certificate. Default: `certificateFile`, else what lies beside the private key. */
  readonly certificate?: string | undefined
  /** The certificate in PEM. What follows the first one may be intermediates. */
  readonly certificateFile?: string | undefined
  /** Certificates alone. Default: those in the token, and in `certificateFile`. */
  readonly intermediatesFile?: string | undefined
  /** `pkcs11:` URI of the private key, or of its token alone. Default: the one with the CKA_ID of the certificate, or its label. */
  readonly privateKey?: string | undefined
  /** Absolute path of the module. Default: that in the URI, or p11-kit's proxy. */
  readonly modulePath?: string | undefined
  /** Goes before that in a URI. Keys that want it for each signature (CKA_ALWAYS_AUTHENTICATE) get it too. */
  readonly pin?: Password | undefined
  /** Further options of `openPkcs11SigningKey`. */
  readonly token?: IdentityTokenInit['token']
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes an identity whose private key is in a PKCS #11 token. Files, and the certificates in the token, are looked at anew for each session.
 *
 * @throws {TypeError} on wrong options. `current()` throws {@link RolesAnywhereError}.
 */
export function pkcs11Identity(init: Pkcs11IdentityInit): X509IdentitySource {
  const { certificateFile, intermediatesFile, onWarning } = init
  assertOptions(init)
  const pin = keepPassword(init.pin)
  let opening: Promise<IdentityToken> | undefined
  const opened = () => {
    opening ??= openIdentityToken(init, pin).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  async function load(files: ReadonlyMap<string, FileSnapshot>): Promise<Loaded> {
    const token = await opened()
    const inFile = certificateFile === undefined ? [] : readPemCertificates(octetsIn(files, certificateFile))
    const { key, leaf } = await findKey(token, inFile[0])
    const others =
      intermediatesFile === undefined
        ? [...inFile, ...(await token.certificates()).map(({ der }) => der)]
        : readPemBundle(octetsIn(files, intermediatesFile))
    const identity = await makeIdentity({
      leaf: { from: certificateFile ?? 'the token', value: leaf },
      others: { from: intermediatesFile ?? 'the token', value: others },
      key: { from: 'the token', value: deviceKey('PKCS #11', key) },
      onUnlinked: intermediatesFile === undefined ? undefined : onWarning,
    }).catch(async (error: unknown) => {
      await key.close()
      throw error
    })
    return { identity, wipe: () => key.close() }
  }

  const generations = createGenerations<Loaded>({
    files: [certificateFile, intermediatesFile].filter((it) => it !== undefined),
    async elsewhere() {
      const hash = createHash('sha256')
      for (const { label, id, der } of await (await opened()).certificates()) {
        hash.update(JSON.stringify([label, Buffer.from(id).toString('hex'), der.length])).update(der)
      }
      return hash.digest('base64')
    },
    load,
    release: (it) => it.wipe(),
    onWarning,
  })
  return {
    name: 'pkcs11',
    current: async ({ signal } = {}) => (await generations.current(signal)).identity,
    async close() {
      pin.stopAsking()
      await generations.close()
      const token = await opening?.catch(() => undefined)
      await token?.close()
      pin.wipe()
    },
  }
}

function assertOptions({ certificate, certificateFile, intermediatesFile, privateKey }: Pkcs11IdentityInit): void {
  assertPaths({ certificateFile, intermediatesFile })
  if (certificate === undefined && privateKey === undefined)
    throw new TypeError('"certificate" or "privateKey" is missing')
  if (certificate !== undefined && certificateFile !== undefined) {
    throw new TypeError('"certificate" and "certificateFile" exclude each other')
  }
}
