import { EkmCredentialError } from '@hardbound/azure-ekm-credential'
import { usageError } from './cli-error.ts'
import { help, parseFlags, required, text } from './internal/flags.ts'
import { runCredentialCommand, say } from './internal/process-credential.ts'
import { azureEkmSource } from './sources/azure-ekm.ts'
import { AZURE_EKM_HELP } from './sources/azure-ekm-help.ts'

const COMMAND = 'hardbound azure ekm'
const parse = (args: string[]) => parseFlags(args, { ...azureEkmSource.options, scope: text, help })

async function provide({ scope: asked, help: _, ...flags }: ReturnType<typeof parse>) {
  const scope = required('--scope', asked)
  const credential = await azureEkmSource.open(flags, (message) => say(COMMAND, `warning: ${message}`))
  return credential.getToken(scope).catch((cause: unknown) => {
    if (cause instanceof EkmCredentialError && cause.code === 'ERR_EKM_SCOPE')
      throw usageError(`--scope: ${cause.message}`)
    throw cause
  })
}

void runCredentialCommand(
  { command: COMMAND, help: AZURE_EKM_HELP, parse, provide },
  process.argv.slice(4),
  // RFC 6749 §5.1, with the time of expiry as Azure's own endpoints have it.
  ({ token: access_token, expiresOnTimestamp }) => ({
    access_token,
    token_type: 'Bearer',
    expires_on: Math.floor(expiresOnTimestamp / 1000),
  }),
)
