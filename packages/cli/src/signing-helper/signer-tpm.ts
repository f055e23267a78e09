import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  type LoneKey,
  openTpmKey,
  parseTpmHandle,
  type TpmKeyName,
  tpmIdentity,
  type X509IdentitySource,
} from '@hardbound/roles-anywhere'
import { CliError } from '../cli-error.ts'
import { given } from '../internal/flags.ts'
import { askSecret } from './ask-secret.ts'
import type { OnHelperWarning, SignerFlags } from './types.ts'

const DEVICES = ['/dev/tpmrm0', '/dev/tpm0']

/** Key in a TPM, certificate in a file. */
export function tpmSigner(flags: SignerFlags, certificateFile: string, onWarning: OnHelperWarning): X509IdentitySource {
  return tpmIdentity({
    tpm: addressOf(process.env),
    certificateFile,
    ...given('intermediatesFile', flags.intermediates || undefined),
    key: keyOf(flags),
    keyPassword: passwordOf(flags),
    onWarning,
  })
}

/** The key alone. */
export function tpmKey(flags: SignerFlags): Promise<LoneKey> {
  return openTpmKey({ tpm: addressOf(process.env), key: keyOf(flags), keyPassword: passwordOf(flags) })
}

/** A character device, or a socket, such as that of swtpm. */
function addressOf({ TPM_DEVICE }: NodeJS.ProcessEnv): string {
  const path = TPM_DEVICE ? resolve(TPM_DEVICE) : (DEVICES.find((it) => statOf(it) !== undefined) ?? '/dev/tpmrm0')
  return statOf(path)?.isSocket() === true ? `unix:${path}` : path
}

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false })

function keyOf({ certificate, 'private-key': key }: SignerFlags): TpmKeyName {
  if (!key.startsWith('handle:')) return { file: key || certificate }
  try {
    return { handle: parseTpmHandle(key) }
  } catch {
    throw new CliError('--private-key: invalid hex TPM handle value: a TPM handle is handle:0x81000101')
  }
}

/** Without a flag somebody is asked, but where a file says that there is none, or where it does no harm to try. */
function passwordOf(flags: SignerFlags): string | (() => Promise<Buffer>) {
  if (flags['tpm-key-password'] !== '') return flags['tpm-key-password']
  return flags['no-tpm-key-password'] ? '' : () => askSecret('Password of the TPM key')
}
