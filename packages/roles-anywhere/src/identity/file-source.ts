import type { X509Identity, X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import { createGenerations } from './generations.ts'
import type { Named } from './make-identity.ts'
import { octetsIn } from './read-file.ts'

/** An identity, and what forgets its key. */
export interface Loaded {
  readonly identity: X509Identity
  wipe(): void | Promise<void>
}

/** Where an identity is read from, again whenever one of the files has changed. */
export interface FileSourceInit {
  readonly name: string
  readonly files: readonly (string | undefined)[]
  /** The one with the private key. */
  readonly keyFile: string
  load(read: (path: string) => Named<Uint8Array>): Promise<Loaded>
  /** Forgets passwords. */
  onClose(): void
  /** Called before close waits for what is under way. */
  stopAsking?(): void
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

/** Makes a source of identities that are in files. */
export function fileSource(init: FileSourceInit): X509IdentitySource {
  const { name, files, keyFile, onWarning } = init
  const generations = createGenerations<Loaded>({
    files: files.filter((it) => it !== undefined),
    async load(snapshots) {
      const loaded = await init.load((path) => octetsIn(snapshots, path))
      if (snapshots.get(keyFile)?.exposed) {
        onWarning?.({
          code: 'WARN_RA_KEY_EXPOSED',
          message: `${keyFile} has a private key and is open to others: chmod 600 it`,
        })
      }
      return loaded
    },
    release: (it) => it.wipe(),
    onWarning,
  })
  return {
    name,
    current: async ({ signal } = {}) => (await generations.current(signal)).identity,
    async close() {
      init.stopAsking?.()
      await generations.close()
      init.onClose()
    },
  }
}

/** @throws {TypeError} where an option is no path. */
export function assertPaths(paths: Readonly<Record<string, unknown>>): void {
  for (const [option, path] of Object.entries(paths)) {
    if (path !== undefined && (typeof path !== 'string' || path === '' || path.includes('\0'))) {
      throw new TypeError(`"${option}" must be the path of a file`)
    }
  }
}
