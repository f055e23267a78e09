import { fromRolesAnywhere, type RolesAnywhereWarning, type X509IdentitySource } from '@hardbound/roles-anywhere'
import { AWS_ROLES_ANYWHERE_HELP } from './aws-roles-anywhere-help.ts'
import { endAnyway } from './internal/end-anyway.ts'
import { help, parseFlags } from './internal/flags.ts'
import { IDENTITY_OPTIONS, identityOf } from './internal/identity-flags.ts'
import { runProcessCredential, say } from './internal/process-credential.ts'
import {
  proxyWithAuthOf,
  ROLES_ANYWHERE_OPTIONS,
  rolesAnywhereFailure,
  rolesAnywhereInitOf,
} from './internal/roles-anywhere-flags.ts'

const COMMAND = 'hardbound aws roles-anywhere'
const parse = (args: string[]) => parseFlags(args, { ...ROLES_ANYWHERE_OPTIONS, ...IDENTITY_OPTIONS, help })

async function provide(flags: ReturnType<typeof parse>) {
  const init = { ...rolesAnywhereInitOf(flags), onWarning }
  const open = await identityOf(flags, onWarning).catch(rolesAnywhereFailure)
  let identity: X509IdentitySource | undefined
  try {
    fromRolesAnywhere({ ...init, identity: NONE }) // all flags are known to be right before any password is read
    identity = await open()
    return await fromRolesAnywhere({ ...init, ...(await proxyWithAuthOf(flags)), identity })()
  } catch (cause) {
    return rolesAnywhereFailure(cause)
  } finally {
    void identity?.close() // a device that hangs is not waited for with what there is to say
  }
}

const NONE: X509IdentitySource = { name: 'none', current: () => Promise.reject(new Error()), close: async () => {} }

/** What the operator can do something about. A try that failed is not: either the next one will do, or there is an error. */
function onWarning({ code, message }: Pick<RolesAnywhereWarning, 'message'> & { readonly code: string }): void {
  if (code !== 'WARN_RA_RETRY') say(COMMAND, `warning: ${message}`)
}

const credential = { command: COMMAND, help: AWS_ROLES_ANYWHERE_HELP, parse, provide }
void runProcessCredential(credential, process.argv.slice(4)).then(endAnyway)
