import { RolesAnywhereError } from '../errors.ts'
import { closedError, untilAborted } from '../identity/closed.ts'
import { readCertificateDetails } from '../selector/certificate-details.ts'
import { type CertificateSelector, compileSelector } from '../selector/certificate-selector.ts'
import { selectCertificate } from '../selector/select-certificate.ts'
import type { X509Identity, X509IdentitySource } from '../types.ts'
import type { OnRolesAnywhereWarning } from '../warning.ts'
import type { CertificateStore } from './certificate-store.ts'

const TRIES = 2

/** Which certificate of which store. */
export interface SelectedIdentityInit {
  /** It is closed with the identity. */
  readonly store: CertificateStore
  /** Default: every certificate matches, so there must be one alone. */
  readonly selector?: CertificateSelector | undefined
  /** Of several that match, take the one that expires last. Default: false. */
  readonly useLatestExpiring?: boolean | undefined
  readonly onWarning?: OnRolesAnywhereWarning | undefined
}

interface Opened {
  /** DER */
  readonly certificate: Uint8Array
  /** What the source gave last for it. */
  readonly identity: X509Identity
  readonly source: X509IdentitySource
}

/**
 * Makes an identity of the one certificate of a store that a selector matches. The store is looked at for every session, so that a
 * certificate that was renewed there is found; while the new one can't be used, that of before is. Certificates of authorities, of which
 * the service takes none, do not count.
 *
 * @throws {RolesAnywhereError} `ERR_RA_SELECTOR` on a selector that can't match anything; `current()` throws others.
 */
export function selectedIdentity(init: SelectedIdentityInit): X509IdentitySource {
  const { store, selector = {}, useLatestExpiring } = init
  compileSelector(selector)
  let opened: Opened | undefined
  /** Of the one before, which may be in use still. */
  let retired: X509IdentitySource | undefined
  let queue: Promise<unknown> = Promise.resolve()
  let closed = false
  let warned: string | undefined

  async function current(signal: AbortSignal | undefined): Promise<X509Identity> {
    if (closed) throw closedError()
    try {
      const identity = await selected(signal)
      warned = undefined
      return identity
    } catch (error) {
      const before = previous(error)
      if (before === undefined) throw error
      return before
    }
  }

  async function selected(signal: AbortSignal | undefined): Promise<X509Identity> {
    const options = signal === undefined ? {} : { signal }
    for (let tries = 0; tries < TRIES; tries++) {
      const entries = (await store.list(options)).filter(({ certificate }) => !isAuthority(certificate))
      const { entry, details } = selectCertificate(entries, selector, { useLatestExpiring })
      const source = isOf(opened, details.der) ? opened.source : await store.open(entry, options)
      const identity = await source
        .current(options)
        .catch((error: unknown) => closeUnless(opened?.source, source, error))
      if (isOf(identity, details.der)) {
        if (source !== opened?.source) await retire()
        opened = { certificate: details.der, identity, source }
        return identity
      }
      if (source !== opened?.source) await source.close() // it was replaced between the two looks
    }
    throw new RolesAnywhereError(
      'ERR_RA_STORE',
      `the certificate in the ${store.name} store changed each time it was read`,
    )
  }

  /** Somebody may be in the middle of replacing what is there: until that is done, the identity of before goes on. */
  function previous(error: unknown): X509Identity | undefined {
    if (opened === undefined || !(error instanceof RolesAnywhereError) || error.code === 'ERR_RA_ABORTED')
      return undefined
    if (warned !== error.message) {
      const message = `the identity of before is used, as that of now can't be: ${error.message}`
      init.onWarning?.({ code: 'WARN_RA_RELOAD', message })
    }
    warned = error.message
    return opened.identity
  }

  async function retire(): Promise<void> {
    const beforeThat = retired
    retired = opened?.source
    opened = undefined
    await beforeThat?.close()
  }

  /** One at a time: what one call opens, another would close. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = queue.then(work)
    queue = mine.catch(() => undefined)
    return mine
  }

  return {
    name: store.name,
    current: ({ signal } = {}) => untilAborted(() => inTurn(() => current(signal)), signal),
    close() {
      closed = true
      const storeClosed = store.close() // at once: somebody may be waiting for a password
      return inTurn(async () => {
        await retire()
        await retire()
        await storeClosed
      })
    },
  }
}

function isOf<T extends { readonly certificate: Uint8Array }>(it: T | undefined, der: Uint8Array): it is T {
  return it !== undefined && Buffer.compare(it.certificate, der) === 0
}

async function closeUnless(
  kept: X509IdentitySource | undefined,
  source: X509IdentitySource,
  error: unknown,
): Promise<never> {
  if (source !== kept) await source.close()
  throw error
}

function isAuthority(certificate: Uint8Array): boolean {
  try {
    return readCertificateDetails(certificate).authority
  } catch {
    return false // what can't be read matches no selector
  }
}
