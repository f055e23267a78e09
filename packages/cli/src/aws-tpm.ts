import { openTpmHmac } from '@hardbound/hmac-signer-tpm'
import { fromHmac } from '@hardbound/sigv4-hmac'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { AWS_TPM_HELP } from './aws-tpm-help.ts'
import { help, parseFlags } from './internal/flags.ts'
import { runProcessCredential } from './internal/process-credential.ts'
import { SESSION_OPTIONS, sessionInitOf, withFlagNames } from './internal/session-flags.ts'
import { openInitOf, TPM_OPTIONS, tpmFlagsError, withPasswords } from './internal/tpm-flags.ts'

const parse = (args: string[]) => parseFlags(args, { ...TPM_OPTIONS, ...SESSION_OPTIONS, help })

async function provide(flags: ReturnType<typeof parse>) {
  const init = openInitOf(flags)
  let backend: Promise<HmacBackend> | undefined
  const open = () =>
    withPasswords(flags, ['key-auth', 'parent-auth'], (passwords) => openTpmHmac({ ...init, ...passwords })).catch(
      tpmFlagsError,
    )
  const onUse: HmacBackend = {
    name: 'tpm',
    // Only when all flags are known to be right: a password is not tried in vain.
    async hmacSha256(message, options) {
      backend ??= open()
      return (await backend).hmacSha256(message, options)
    },
    close: async () => (await backend)?.close(),
  }
  const provider = withFlagNames(() => fromHmac({ ...sessionInitOf(flags), backend: onUse }))
  try {
    return await provider()
  } finally {
    await onUse.close().catch(() => undefined) // it did not open, which `provider` has said
  }
}

void runProcessCredential({ command: 'hardbound aws tpm', help: AWS_TPM_HELP, parse, provide }, process.argv.slice(4))
