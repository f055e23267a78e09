import { openTpmHmac } from '@hardbound/hmac-signer-tpm'
import { fromHmac } from '@hardbound/sigv4-hmac'
import { AWS_TPM_HELP } from './aws-tpm-help.ts'
import { backendOnUse } from './internal/backend-on-use.ts'
import { endAnyway } from './internal/end-anyway.ts'
import { help, parseFlags } from './internal/flags.ts'
import { runProcessCredential } from './internal/process-credential.ts'
import { SESSION_OPTIONS, sessionInitOf, withFlagNames } from './internal/session-flags.ts'
import { openInitOf, TPM_OPTIONS, tpmFlagsError, withPasswords } from './internal/tpm-flags.ts'

const parse = (args: string[]) => parseFlags(args, { ...TPM_OPTIONS, ...SESSION_OPTIONS, help })

async function provide(flags: ReturnType<typeof parse>) {
  const init = openInitOf(flags)
  const backend = backendOnUse('tpm', () =>
    withPasswords(flags, ['key-auth', 'parent-auth'], (passwords) => openTpmHmac({ ...init, ...passwords })).catch(
      tpmFlagsError,
    ),
  )
  const provider = withFlagNames(() => fromHmac({ ...sessionInitOf(flags), backend }))
  try {
    return await provider()
  } finally {
    void backend.close() // a TPM that hangs is not waited for with what there is to say
  }
}

const credential = { command: 'hardbound aws tpm', help: AWS_TPM_HELP, parse, provide }
void runProcessCredential(credential, process.argv.slice(4)).then(endAnyway)
