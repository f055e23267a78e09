import { openTpmHmac } from '@hardbound/hmac-signer-tpm'
import { backendOnUse } from '../internal/backend-on-use.ts'
import type { GivenOf } from '../internal/flags.ts'
import { hmacSessions } from '../internal/hmac-sessions.ts'
import { SESSION_FILES, SESSION_OPTIONS } from '../internal/session-flags.ts'
import { openInitOf, TPM_OPTIONS, tpmFlagsError, withPasswords } from '../internal/tpm-flags.ts'
import type { AwsSource } from './source.ts'
import { AWS_TPM_HELP } from './tpm-help.ts'

const OPTIONS = { ...TPM_OPTIONS, ...SESSION_OPTIONS } as const

/** An IAM user whose secret is in a TPM. */
export const tpmSource: AwsSource = {
  cloud: 'aws',
  name: 'tpm',
  help: AWS_TPM_HELP,
  options: OPTIONS,
  files: ['key', ...SESSION_FILES],
  open: (flags: GivenOf<typeof OPTIONS>) => {
    const init = openInitOf(flags)
    const backend = backendOnUse('tpm', () =>
      withPasswords(flags, ['key-auth', 'parent-auth'], (passwords) => openTpmHmac({ ...init, ...passwords })).catch(
        tpmFlagsError,
      ),
    )
    return { provide: hmacSessions(flags, backend), close: () => backend.close() }
  },
}
