import type { OnRolesAnywhereWarning, X509IdentitySource } from '@hardbound/roles-anywhere'
import {
  type CertificateSelector,
  type CertificateStore,
  pemFolderStore,
  pkcs11Store,
  pkcs12Store,
  readCertificateSelector,
  selectedIdentity,
  systemStore,
} from '@hardbound/roles-anywhere/store'
import { usageError } from '../cli-error.ts'
import { given } from './flags.ts'
import type { IdentityFlags, IdentityKind } from './identity-flags.ts'
import { withSecrets } from './open-identity.ts'

/** @throws {CliError} */
export async function openerOfStore(
  kind: IdentityKind,
  flags: IdentityFlags,
  onWarning: OnRolesAnywhereWarning,
): Promise<() => Promise<X509IdentitySource>> {
  const selector = await selectorOf(flags)
  const open = await storeOpenerOf(kind, flags, onWarning)
  return async () =>
    selectedIdentity({
      store: await open(),
      selector,
      ...given('useLatestExpiring', flags['use-latest-expiring']),
      onWarning,
    })
}

/** What `--selector` says; without it every certificate matches. */
export async function selectorOf({ selector }: IdentityFlags): Promise<CertificateSelector> {
  if (selector === undefined) return {}
  return readCertificateSelector(selector).catch((cause: unknown) => {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ERR_RA_SELECTOR')) throw cause
    throw usageError(`--selector: ${cause.message}`)
  })
}

/** What opens the store that `--store` names. */
export async function storeOpenerOf(
  kind: IdentityKind,
  flags: IdentityFlags,
  onWarning: OnRolesAnywhereWarning,
): Promise<() => Promise<CertificateStore>> {
  const { store = '' } = flags
  const place = store.replace(/^\w+:?/, '')
  if (kind === 'folder') {
    return withSecrets(flags, { password: 'key-password' }, (secrets) =>
      pemFolderStore({ folder: place, onWarning, ...secrets }),
    )
  }
  if (kind === 'p12-store') {
    return withSecrets(flags, { password: 'p12-password' }, (secrets) =>
      pkcs12Store({ file: place, onWarning, ...secrets }),
    )
  }
  if (kind === 'tokens') {
    const { tokenOptionsOf, uriOf } = await import('./pkcs11-flags.ts')
    uriOf(store, '--store')
    const token = tokenOptionsOf(flags)
    return withSecrets(flags, { pin: 'pin' }, (secrets) => pkcs11Store({ uri: store, token, ...secrets }))
  }
  const [, machine, storeName] = /^(local-machine\/)?(.*)$/s.exec(place) ?? []
  const location = machine === undefined ? {} : { location: 'local-machine' as const }
  return () => Promise.resolve(systemStore({ ...location, ...(storeName ? { storeName } : {}) }))
}
