import { checkCertificate } from './checks.ts'
import { chainOf } from './identity/chain.ts'
import type { PublicKey } from './identity/public-key.ts'
import type { X509Identity } from './types.ts'
import type { OnRolesAnywhereWarning } from './warning.ts'

/** How strict the local checks are. */
export interface IdentityChecks {
  /**
   * What happens where the certificate breaks a rule of the service: `refuse` says so without asking the service, `warn` lets the
   * service decide. Default: `refuse`.
   */
  certificateRules?: 'refuse' | 'warn' | undefined
  /**
   * From how many seconds before the certificate's end on there is a warning. Default: 7 days, or a fifth of the certificate's
   * lifetime where that is less.
   */
  warnBeforeExpirySeconds?: number | undefined
}

/** An identity that may be used. */
export interface CheckedIdentity extends X509Identity {
  /** Decimal. */
  readonly serial: string
  readonly publicKey: PublicKey
}

const WEEK_MS = 7 * 86_400_000

/**
 * All that can be said of an identity before it signs.
 *
 * @returns The identity, with the chain that is to be sent.
 * @throws {RolesAnywhereError} `ERR_RA_CERTIFICATE`, `ERR_RA_EXPIRED`, `ERR_RA_MISMATCH`, `ERR_RA_CHAIN`
 */
export async function checkIdentity(
  identity: X509Identity,
  { nowMs, onWarning }: { nowMs: number; onWarning: OnRolesAnywhereWarning },
  { certificateRules = 'refuse', warnBeforeExpirySeconds }: IdentityChecks = {},
): Promise<CheckedIdentity> {
  const { serial, publicKey, notBefore, notAfter } = checkCertificate(identity, { nowMs }, (error) => {
    if (certificateRules === 'refuse') throw error
    onWarning({ code: 'WARN_RA_CERTIFICATE', message: error.message })
  })
  const warnMs = (warnBeforeExpirySeconds ?? 0) * 1000 || Math.min(WEEK_MS, (notAfter - notBefore) / 5)
  if (nowMs <= notAfter && nowMs > notAfter - warnMs) {
    const message = `the certificate ends at ${new Date(notAfter).toISOString()}: renew it`
    onWarning({ code: 'WARN_RA_EXPIRES_SOON', message })
  }
  const chain = await chainOf(identity.certificate, identity.chain, 'the identity', ({ message }) => {
    onWarning({ code: 'WARN_RA_CHAIN', message })
  })
  const { certificate, keyType } = identity
  return { certificate, chain, keyType, serial, publicKey, sign: (...args) => identity.sign(...args) }
}
