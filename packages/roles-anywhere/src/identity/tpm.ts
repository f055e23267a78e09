import type { OpenTpmSigningKeyInit } from '@hardbound/tpm2/signing-key'
import { RolesAnywhereError } from '../errors.ts'
import type { X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { assertPaths } from './file-source.ts'
import { createGenerations } from './generations.ts'
import { makeIdentity, type Named } from './make-identity.ts'
import { keepPassword, type Password } from './password.ts'
import { blocksOf, readPemBundle, readPemCertificates } from './pem-certificates.ts'
import { octetsIn } from './read-file.ts'
import { createTpmKeys, type TpmKeyPlace } from './tpm-keys.ts'

/** A certificate in a file, and its private key in a TPM. Options of `openTpmSigningKey` that are not named here go there. */
export interface TpmIdentityInit
  extends Pick<
    OpenTpmSigningKeyInit,
    'useEkParent' | 'pcrs' | 'sessionEncryption' | 'dangerouslyAllowTcp' | 'timeoutMs'
  > {
  /** Address as @hardbound/tpm2 has it, or an open `Tpm`. Default: `/dev/tpmrm0`. */
  readonly tpm?: OpenTpmSigningKeyInit['tpm'] | undefined
  /** PEM. The first certificate in it is the leaf. What follows is taken for intermediates, without `intermediatesFile`. */
  readonly certificateFile: string
  /** Certificates alone. */
  readonly intermediatesFile?: string | undefined
  /**
   * Persistent handle (`parseTpmHandle` reads `handle:0x81000101`), or a TSS2 PRIVATE KEY: in a file, or as text.
   * Default: a TSS2 PRIVATE KEY in `certificateFile`.
   */
  readonly key?: { readonly handle: number } | { readonly file: string } | { readonly pem: string } | undefined
  /** Of the key, 64 octets at most. Where a person is to be asked, the empty one is tried first if a file says so, or that can do no harm. */
  readonly keyPassword?: Password | undefined
  /** Of its parent, or of the parent's hierarchy. Default: empty. */
  readonly parentPassword?: string | Uint8Array | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/**
 * Makes an identity whose private key is in a TPM. The files are read again when they have changed; the key is opened once, and after a
 * wrong password not again: the TPM counts.
 *
 * @throws {TypeError} on wrong options. `current()` throws {@link RolesAnywhereError}.
 */
export function tpmIdentity(init: TpmIdentityInit): X509IdentitySource {
  const { certificateFile, intermediatesFile, key = { file: certificateFile }, onWarning } = init
  if (certificateFile === undefined) throw new TypeError('"certificateFile" is missing')
  const keyFile = 'file' in key ? key.file : undefined
  assertPaths({ certificateFile, intermediatesFile, 'key.file': keyFile })
  const password = keepPassword(init.keyPassword)
  const keys = createTpmKeys(init, password)
  const generations = createGenerations({
    files: [certificateFile, intermediatesFile, keyFile].filter((it) => it !== undefined),
    async load(snapshots) {
      const read = (path: string) => octetsIn(snapshots, path)
      const certificate = read(certificateFile)
      const [leaf, ...rest] = readPemCertificates(certificate)
      const bundle = intermediatesFile === undefined ? undefined : read(intermediatesFile)
      const place = placeOf(key, read)
      return keys.use(place, (privateKey) =>
        makeIdentity({
          leaf: { from: certificateFile, value: leaf },
          others: bundle ? { from: bundle.from, value: readPemBundle(bundle) } : { from: certificateFile, value: rest },
          key: { from: place.from, value: privateKey },
          onUnlinked: bundle && onWarning,
        }),
      )
    },
    release() {},
    onWarning,
  })
  return {
    name: 'tpm',
    current: ({ signal } = {}) => generations.current(signal),
    async close() {
      password.stopAsking()
      await generations.close()
      await keys.close()
      password.wipe()
    },
  }
}

function placeOf(key: NonNullable<TpmIdentityInit['key']>, read: (path: string) => Named<Uint8Array>): TpmKeyPlace {
  if ('handle' in key) return { from: `the TPM at 0x${key.handle.toString(16)}`, key }
  if ('pem' in key)
    return { from: '"key.pem"', key: { pem: tss2In({ from: '"key.pem"', value: Buffer.from(key.pem) }) } }
  return { from: key.file, key: { pem: tss2In(read(key.file)) } }
}

/** The one TSS2 PRIVATE KEY among what else may be there, such as the certificate. */
function tss2In({ from, value }: Named<Uint8Array>): string {
  const label = 'TSS2 PRIVATE KEY'
  const der = blocksOf({ from, value }, 'ERR_RA_KEY').find((it) => it.label === label)?.der
  if (der === undefined) throw new RolesAnywhereError('ERR_RA_KEY', `no ${label} is in ${from}`)
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
