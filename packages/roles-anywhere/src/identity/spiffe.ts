import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { RolesAnywhereError } from '../errors.ts'
import type { X509Identity, X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { assertPaths, fileSource } from './file-source.ts'
import { keepPassword } from './password.ts'
import { readPemIdentity } from './pem-identity.ts'

/**
 * Files of an X.509-SVID that an agent keeps fresh. A directory is one that `spire-agent api fetch x509 -write` fills: `svid.0.pem`,
 * `svid.0.key`. spiffe-helper has its names from its configuration: give them as files.
 */
export type SpiffeIdentityInit = (
  | {
      readonly directory: string
      /** Which of several SVIDs. Default: 0, which is the one that the agent has as default. */
      readonly index?: number | undefined
    }
  | {
      /** The SVID, and its intermediates after it. */
      readonly certificateFile: string
      readonly privateKeyFile: string
      /** Where intermediates are instead of beside the SVID: spiffe-helper with `add_intermediates_to_bundle`. */
      readonly bundleFile?: string | undefined
    }
) & {
  /** `spiffe://example.com/service`: an SVID of another name is refused. Default: any. */
  readonly spiffeId?: string | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes an identity of an X.509-SVID on disk. The files are read again, all at one moment, when they have changed.
 *
 * @throws {TypeError} or {RangeError} on wrong options. `current()` throws {@link RolesAnywhereError}.
 * @see {@link https://spiffe.io/docs/latest/spiffe-specs/x509-svid/ The X.509 SPIFFE Verifiable Identity Document}
 */
export function spiffeIdentity(init: SpiffeIdentityInit): X509IdentitySource {
  const { spiffeId, onWarning } = init
  const { certificateFile, privateKeyFile, bundleFile } = filesOf(init)
  assertPaths({ certificateFile, privateKeyFile, bundleFile })
  if (spiffeId !== undefined && !isSpiffeId(spiffeId)) throw new TypeError('"spiffeId" must begin with spiffe://')
  const none = keepPassword(undefined)
  return fileSource({
    name: 'spiffe',
    files: [certificateFile, privateKeyFile, bundleFile],
    keyFile: privateKeyFile,
    async load(read) {
      const intermediates = bundleFile === undefined ? undefined : read(bundleFile)
      const loaded = await readPemIdentity(
        { certificate: read(certificateFile), privateKey: read(privateKeyFile), intermediates },
        none,
      )
      assertSvid(loaded.identity, certificateFile, spiffeId)
      return loaded
    },
    onClose() {},
    onWarning,
  })
}

function filesOf(init: SpiffeIdentityInit) {
  if (!('directory' in init)) return init
  const { directory, index = 0 } = init
  assertPaths({ directory })
  if (!Number.isInteger(index) || index < 0) throw new RangeError('"index" must be a whole number')
  return {
    certificateFile: join(directory, `svid.${index}.pem`),
    privateKeyFile: join(directory, `svid.${index}.key`),
    bundleFile: undefined,
  }
}

const isSpiffeId = (uri: string): boolean => uri.startsWith('spiffe://') && uri.length > 'spiffe://'.length

/** Section 2: exactly one URI, which is the SPIFFE ID. */
function assertSvid({ certificate }: X509Identity, from: string, wanted: string | undefined): void {
  const names = new X509Certificate(certificate).subjectAltName ?? ''
  const [id, second] = names.split(', ').flatMap((it) => (it.startsWith('URI:') ? [it.slice('URI:'.length)] : []))
  if (id === undefined || second !== undefined || !isSpiffeId(id)) {
    throw new RolesAnywhereError(
      'ERR_RA_CERTIFICATE',
      `the certificate in ${from} is no SVID: it has no SPIFFE ID, or several URIs`,
    )
  }
  if (wanted !== undefined && id !== wanted) {
    throw new RolesAnywhereError('ERR_RA_CERTIFICATE', `the SVID in ${from} is of ${id}, not of ${wanted}`)
  }
}
