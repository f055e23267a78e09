import { openPkcs11Hmac } from '@hardbound/hmac-signer-pkcs11'
import { fromHmac } from '@hardbound/sigv4-hmac'
import { AWS_PKCS11_HELP } from './aws-pkcs11-help.ts'
import { backendOnUse } from './internal/backend-on-use.ts'
import { endAnyway } from './internal/end-anyway.ts'
import { given, help, parseFlags } from './internal/flags.ts'
import { PKCS11_OPTIONS, pinOf, pkcs11FlagsError, tokenInitOf } from './internal/pkcs11-flags.ts'
import { runProcessCredential } from './internal/process-credential.ts'
import { SESSION_OPTIONS, sessionInitOf, withFlagNames } from './internal/session-flags.ts'

const parse = (args: string[]) => parseFlags(args, { ...PKCS11_OPTIONS, ...SESSION_OPTIONS, help })

async function provide(flags: ReturnType<typeof parse>) {
  const init = { ...tokenInitOf(flags), ...given('knownAnswer', flags['known-answer']) }
  const backend = backendOnUse('pkcs11', async () =>
    openPkcs11Hmac({ ...init, ...(await pinOf(flags)) }).catch(pkcs11FlagsError),
  )
  const provider = withFlagNames(() => fromHmac({ ...sessionInitOf(flags), backend }))
  try {
    return await provider()
  } finally {
    await backend.close()
  }
}

const credential = { command: 'hardbound aws pkcs11', help: AWS_PKCS11_HELP, parse, provide }
void runProcessCredential(credential, process.argv.slice(4)).then(endAnyway)
