import { prepareSession, type SessionRequest, type X509IdentitySource } from '@hardbound/roles-anywhere'
import { flagFailure } from './failure.ts'
import { log } from './log.ts'
import { sessionInitOf } from './session-init.ts'
import { signerOf } from './signer.ts'
import type { OnHelperWarning, SessionFlags } from './types.ts'

/** Asks for sessions, with an identity that is open. */
export interface OpenSession {
  readonly request: SessionRequest
  readonly identity: X509IdentitySource
}

/**
 * Checks all flags, then opens the identity, which may ask for a password.
 *
 * @throws {CliError} and what the identity throws.
 */
export async function openSession(flags: SessionFlags): Promise<OpenSession> {
  const onWarning = warningsOf(flags)
  const late = lateIdentity()
  let request: SessionRequest
  try {
    request = prepareSession({ ...sessionInitOf(flags, process.env), onWarning, identity: late })
  } catch (cause) {
    return flagFailure(cause)
  }
  late.opened = await signerOf(flags, onWarning)
  if (flags.debug) log(`the identity is open: ${late.opened.name}; the session is one of ${flags['role-arn']}`)
  return { request, identity: late }
}

/** Stands for an identity that is opened once everything else is known to be right. */
function lateIdentity(): X509IdentitySource & { opened: X509IdentitySource | undefined } {
  return {
    name: 'signer',
    opened: undefined,
    current(options) {
      return this.opened?.current(options) ?? Promise.reject(new Error('not open yet'))
    },
    close() {
      return this.opened?.close() ?? Promise.resolve()
    },
  }
}

/** What the operator can do something about. A try that failed is not: either the next one will do, or there is an error. */
export const warningsOf =
  ({ debug }: { readonly debug: boolean }): OnHelperWarning =>
  ({ code, message }) => {
    if (debug || code !== 'WARN_RA_RETRY') log(`warning: ${message}`)
  }
