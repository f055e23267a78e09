import { openPkcs11Hmac } from '@hardbound/hmac-signer-pkcs11'
import { backendOnUse } from '../internal/backend-on-use.ts'
import { type GivenOf, given } from '../internal/flags.ts'
import { hmacSessions } from '../internal/hmac-sessions.ts'
import { PKCS11_OPTIONS, pinOf, pkcs11FlagsError, tokenInitOf } from '../internal/pkcs11-flags.ts'
import { SESSION_FILES, SESSION_OPTIONS } from '../internal/session-flags.ts'
import { AWS_PKCS11_HELP } from './pkcs11-help.ts'
import type { AwsSource } from './source.ts'

const OPTIONS = { ...PKCS11_OPTIONS, ...SESSION_OPTIONS } as const

/** An IAM user whose secret is in a PKCS #11 token. */
export const pkcs11Source: AwsSource = {
  cloud: 'aws',
  name: 'pkcs11',
  help: AWS_PKCS11_HELP,
  options: OPTIONS,
  files: SESSION_FILES,
  open: (flags: GivenOf<typeof OPTIONS>) => {
    const init = { ...tokenInitOf(flags), ...given('knownAnswer', flags['known-answer']) }
    const backend = backendOnUse('pkcs11', async () =>
      openPkcs11Hmac({ ...init, ...(await pinOf(flags)) }).catch(pkcs11FlagsError),
    )
    return { provide: hmacSessions(flags, backend), close: () => backend.close() }
  },
}
