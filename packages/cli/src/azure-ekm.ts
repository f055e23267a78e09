import { EkmCredential, EkmCredentialError } from '@hardbound/azure-ekm-credential'
import { AZURE_EKM_HELP } from './azure-ekm-help.ts'
import { usageError } from './cli-error.ts'
import { BROKER_FLAG_OF, BROKER_OPTIONS, brokerInitOf } from './internal/broker-flags.ts'
import { given, help, inWordsOfFlags, parseFlags, required, text } from './internal/flags.ts'
import { runCredentialCommand } from './internal/process-credential.ts'

const OPTIONS = { ...BROKER_OPTIONS, scope: text, 'tenant-id': text, 'client-id': text, help } as const

const parse = (args: string[]) => parseFlags(args, OPTIONS)

async function token(flags: ReturnType<typeof parse>) {
  const scope = required('--scope', flags.scope)
  const init = {
    ...brokerInitOf(flags),
    ...given('tenantId', flags['tenant-id']),
    ...given('clientId', flags['client-id']),
  }
  return await credential(init)
    .getToken(scope)
    .catch((cause: unknown) => {
      if (cause instanceof EkmCredentialError && cause.code === 'ERR_EKM_SCOPE')
        throw usageError(`--scope: ${cause.message}`)
      throw cause
    })
}

function credential(init: ConstructorParameters<typeof EkmCredential>[0]): EkmCredential {
  try {
    return new EkmCredential(init)
  } catch (cause) {
    return inWordsOfFlags(cause, BROKER_FLAG_OF)
  }
}

void runCredentialCommand(
  { command: 'hardbound azure ekm', help: AZURE_EKM_HELP, parse, provide: token },
  process.argv.slice(4),
  // RFC 6749 §5.1, with the time of expiry as Azure's own endpoints have it.
  ({ token: access_token, expiresOnTimestamp }) => ({
    access_token,
    token_type: 'Bearer',
    expires_on: Math.floor(expiresOnTimestamp / 1000),
  }),
)
