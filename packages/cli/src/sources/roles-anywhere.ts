import { fromRolesAnywhere, type RolesAnywhereWarning, type X509IdentitySource } from '@hardbound/roles-anywhere'
import type { GivenOf } from '../internal/flags.ts'
import { IDENTITY_OPTIONS, identityOf } from '../internal/identity-flags.ts'
import { proxyWithAuthOf } from '../internal/proxy-flags.ts'
import { ROLES_ANYWHERE_OPTIONS, rolesAnywhereFailure, rolesAnywhereInitOf } from '../internal/roles-anywhere-flags.ts'
import { SESSION_FILES } from '../internal/session-flags.ts'
import { AWS_ROLES_ANYWHERE_HELP } from './roles-anywhere-help.ts'
import type { AwsSource } from './source.ts'

const OPTIONS = { ...ROLES_ANYWHERE_OPTIONS, ...IDENTITY_OPTIONS } as const

/** A machine with an X.509 certificate. */
export const rolesAnywhereSource: AwsSource = {
  cloud: 'aws',
  name: 'roles-anywhere',
  help: AWS_ROLES_ANYWHERE_HELP,
  options: OPTIONS,
  files: ['certificate', 'private-key', 'intermediates', 'p12', 'spiffe', 'store', 'selector', 'ca', ...SESSION_FILES],
  open: async (flags: GivenOf<typeof OPTIONS>, warn) => {
    // What the operator can do something about. A try that failed is not: either the next one will do, or there is an error.
    const onWarning = ({ code, message }: Pick<RolesAnywhereWarning, 'message'> & { readonly code: string }): void => {
      if (code !== 'WARN_RA_RETRY') warn(message)
    }
    const init = { ...rolesAnywhereInitOf(flags), onWarning }
    const openIdentity = await identityOf(flags, onWarning).catch(rolesAnywhereFailure)
    try {
      fromRolesAnywhere({ ...init, identity: NONE }) // all flags are known to be right before any password is read
    } catch (cause) {
      return rolesAnywhereFailure(cause)
    }
    let ready: Promise<{ identity: X509IdentitySource; provide: ReturnType<typeof fromRolesAnywhere> }> | undefined
    const getReady = async () => {
      const identity = await openIdentity()
      return { identity, provide: fromRolesAnywhere({ ...init, ...(await proxyWithAuthOf(flags)), identity }) }
    }
    return {
      provide: async () => {
        try {
          ready ??= getReady().catch((error: unknown) => {
            ready = undefined // a password that could not be read is asked for again
            throw error
          })
          return await (await ready).provide()
        } catch (cause) {
          return rolesAnywhereFailure(cause)
        }
      },
      close: async () => (await ready?.catch(() => undefined))?.identity.close(),
    }
  },
}

const NONE: X509IdentitySource = { name: 'none', current: () => Promise.reject(new Error()), close: async () => {} }
