import { createPrimary } from '../commands/create-primary.ts'
import { readPublic } from '../commands/read-public.ts'
import type { PublicArea } from '../public-area.ts'
import { startHmacSession, startPolicySession } from '../start-session.ts'
import type { Authorization, ObjectHandle, Session, Tpm } from '../tpm.ts'
import type { SaltKey, SessionEncryption } from './options.ts'

/** How one use of the TPM is kept from those who listen on the bus. Everything in it ends with the `exclusively` around it. */
export interface Protection {
  /** For each command whose parameters nobody should see. */
  readonly sessions: readonly Session[]
  /** Shows a password: as an HMAC under a salted session, which tells nothing; or in clear, where nothing is encrypted. */
  authorize(password: Uint8Array): Promise<Authorization>
  /** Policy session; salted, as a password may go into its HMAC. */
  startPolicy(): Promise<Session>
}

/** @throws {Tpm2Error} `ERR_TPM_UNTRUSTED` where the TPM's key is not the pinned one. */
export async function protect(tpm: Tpm, encryption: SessionEncryption | undefined): Promise<Protection> {
  if (encryption === undefined) {
    return {
      sessions: [],
      authorize: (password) => Promise.resolve({ password }),
      startPolicy: () => startPolicySession(tpm),
    }
  }
  const expectName = Buffer.from(encryption.name, 'hex')
  const salt = { ...(await saltKey(tpm, encryption.key ?? 'ek-rsa')), expectName }
  let shows: Promise<Session> | undefined
  return {
    sessions: [await startHmacSession(tpm, { salt, encrypt: true })],
    async authorize(password) {
      if (password.length === 0) return { password }
      shows ??= startHmacSession(tpm, { salt, encrypt: false })
      return { session: await shows, authValue: password }
    },
    startPolicy: () => startPolicySession(tpm, { salt, encrypt: false }),
  }
}

/** The key that salts go to. Not a secret, and made with the hierarchy's empty password: another one would cross in clear here. */
export function saltKey(tpm: Tpm, key: SaltKey): Promise<ObjectHandle & { readonly public: PublicArea }> {
  if (typeof key === 'number') return readPublic(tpm, { handle: key })
  return createPrimary(tpm, { hierarchy: key.startsWith('ek') ? 'endorsement' : 'owner', template: key })
}
