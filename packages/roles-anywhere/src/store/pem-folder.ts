import { readdir } from 'node:fs/promises'
import { join, parse } from 'node:path'
import { RolesAnywhereError } from '../errors.ts'
import type { Password } from '../identity/password.ts'
import { pemIdentity } from '../identity/pem.ts'
import { type PemBlock, readPemBlocks } from '../identity/pem-blocks.ts'
import { readWholeFile } from '../identity/read-file.ts'
import type { X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import type { CertificateStore, StoredCertificate } from './certificate-store.ts'

const MAX_FILES = 256
const FILE = /\.(?:pem|crt|cer|cert|key)$/i
const NEXT_KEY = new Set(['ERR_RA_MISMATCH', 'ERR_RA_KEY', 'ERR_RA_PASSWORD', 'ERR_RA_FILE'])

/** A folder with certificates and private keys in PEM; what is in its own folders is not looked at. */
export interface PemFolderStoreInit {
  readonly folder: string
  /** Of private keys that are encrypted. */
  readonly password?: Password | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

interface PemFile {
  readonly path: string
  /** DER of its first certificate. */
  readonly certificate: Uint8Array | undefined
  readonly key: 'none' | 'plain' | 'encrypted'
}

/**
 * Makes a store of the `.pem`, `.crt`, `.cer`, `.cert` and `.key` files of a folder, 256 at most. The leaf is the first certificate of
 * a file, its chain what follows there; its private key is in the same file, in one of the same name, or in any that fits. Files that
 * can't be read are left out.
 *
 * @throws {TypeError} on wrong options.
 */
export function pemFolderStore({ folder, password, onWarning }: PemFolderStoreInit): CertificateStore {
  if (typeof folder !== 'string' || folder === '') throw new TypeError('"folder" must be a path')
  return {
    name: 'pem-folder',
    async list() {
      const files = await filesOf(folder)
      return files.flatMap(({ path, certificate }) =>
        certificate === undefined ? [] : [{ certificate, location: path }],
      )
    },
    open: (stored) => open(stored, folder, { password, onWarning }),
    close: () => Promise.resolve(),
  }
}

async function open(
  { location }: StoredCertificate,
  folder: string,
  { password, onWarning }: Omit<PemFolderStoreInit, 'folder'>,
): Promise<X509IdentitySource> {
  const keys = (await filesOf(folder)).filter(({ key }) => key !== 'none').sort(nearestFirst(location))
  let unread: RolesAnywhereError | undefined
  for (const { path, key } of keys) {
    const encrypted = key === 'encrypted'
    const source = pemIdentity({
      certificateFile: location,
      privateKeyFile: path,
      onWarning,
      password: encrypted ? password : undefined,
    })
    try {
      await source.current()
      return source
    } catch (error) {
      await source.close()
      if (!(error instanceof RolesAnywhereError) || !NEXT_KEY.has(error.code)) throw error
      if (error.code !== 'ERR_RA_MISMATCH') unread ??= error // it may be the one
    }
  }
  throw (
    unread ??
    new RolesAnywhereError('ERR_RA_MISMATCH', `no private key in ${folder} is that of the certificate in ${location}`)
  )
}

async function filesOf(folder: string): Promise<PemFile[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw new RolesAnywhereError(
      'ERR_RA_STORE',
      `the folder ${folder} can't be read (${error.code ?? 'unknown error'})`,
    )
  })
  const paths = names.filter((name) => FILE.test(name)).sort()
  if (paths.length > MAX_FILES) {
    throw new RolesAnywhereError(
      'ERR_RA_STORE',
      `${folder} has ${paths.length} files of certificates and keys: ${MAX_FILES} at most`,
    )
  }
  const files: PemFile[] = []
  for (const name of paths) {
    const file = await readPemFile(join(folder, name))
    if (file !== undefined) files.push(file)
  }
  return files
}

/** Undefined where it can't be read, as a key of somebody else may be there too. */
async function readPemFile(path: string): Promise<PemFile | undefined> {
  try {
    const { octets } = await readWholeFile(path)
    const blocks = readPemBlocks(octets)
    octets.fill(0)
    const certificate = blocks.find(({ label }) => label === 'CERTIFICATE')?.der
    const key = blocks.find(isKey)
    for (const { der } of blocks.filter(isKey)) der.fill(0)
    return { path, certificate, key: kindOf(key) }
  } catch (error) {
    if (error instanceof RolesAnywhereError || error instanceof SyntaxError) return undefined
    throw error
  }
}

const isKey = ({ label }: PemBlock): boolean => label.endsWith('PRIVATE KEY') && !label.startsWith('TSS2')

function kindOf(key: PemBlock | undefined): PemFile['key'] {
  if (key === undefined) return 'none'
  return key.label === 'ENCRYPTED PRIVATE KEY' ? 'encrypted' : 'plain'
}

/** The file itself, then those with its name, then the others by name. */
function nearestFirst(location: string): (a: PemFile, b: PemFile) => number {
  const stem = parse(location).name
  const rank = ({ path }: PemFile): number => (path === location ? 0 : parse(path).name.startsWith(stem) ? 1 : 2)
  return (a, b) => rank(a) - rank(b)
}
