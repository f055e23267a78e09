import { resolve } from 'node:path'
import { DEFAULT_MODULE_FOLDERS, defaultModulePath } from '@hardbound/pkcs11'
import {
  type LoneKey,
  openPkcs11Key,
  type Pkcs11IdentityInit,
  pkcs11Identity,
  type X509IdentitySource,
} from '@hardbound/roles-anywhere'
import { CliError } from '../cli-error.ts'
import { given } from '../internal/flags.ts'
import { askSecret } from './ask-secret.ts'
import type { OnHelperWarning, SignerFlags } from './types.ts'

/** Somebody may have to touch the token. */
const TIMEOUT_MS = 60_000

/** Key and certificate in a token; the certificate may be in a file. */
export function pkcs11Signer(flags: SignerFlags, onWarning: OnHelperWarning): X509IdentitySource {
  const { certificate, 'private-key': key, intermediates } = flags
  const inToken = certificate.startsWith('pkcs11:')
  return pkcs11Identity({
    ...(certificate !== '' && { [inToken ? 'certificate' : 'certificateFile']: asUri(certificate) }),
    ...given('privateKey', key === '' ? undefined : asUri(key)),
    ...given('intermediatesFile', intermediates || undefined),
    ...tokenInitOf(flags, [certificate, key]),
    pin: askPin,
    onWarning,
  })
}

/** The key alone. */
export function pkcs11Key(flags: SignerFlags): Promise<LoneKey> {
  const { 'private-key': key } = flags
  return openPkcs11Key({ privateKey: asUri(key), ...tokenInitOf(flags, [key]), pin: askPin })
}

/** Only where no URI has one. Keys that want it for each signature get the same one. */
const askPin = (): Promise<Buffer> => askSecret('User PIN of the token')

/**
 * Module and further options. The original signs with any key, also with one that could be taken out of its token; and it loads any
 * module that it is told to, where ours may be anywhere too if a flag names it, as long as others can't replace it. After a wrong PIN
 * what somebody types is tried, and what a URI has is not: that would be tried again and again.
 */
export function tokenInitOf({ 'pkcs11-lib': library }: Pick<SignerFlags, 'pkcs11-lib'>, uris: readonly string[]) {
  const modulePath = modulePathOf(library)
  const token: NonNullable<Pkcs11IdentityInit['token']> = {
    dangerouslyAllowExtractable: true,
    timeoutMs: TIMEOUT_MS,
    tryPinWhenCountLow: !uris.some((it) => /[?&]pin-(?:value|source)=/.test(it)),
    ...(modulePath !== undefined && { allowedModules: [...DEFAULT_MODULE_FOLDERS, modulePath] }),
  }
  return { ...given('modulePath', modulePath), token }
}

/** A plain name is looked for where modules are installed. */
function modulePathOf(library: string): string | undefined {
  if (library === '') return undefined
  if (library.includes('/')) return resolve(library)
  try {
    return defaultModulePath(library.replace(/\.so$/, ''))
  } catch (cause) {
    throw new CliError(`--pkcs11-lib: ${cause instanceof Error ? cause.message : 'it is not there'}`, { cause })
  }
}

/** The original takes characters as they are that should be percent-encoded, such as blanks. What is no URI stays as it is. */
export function asUri(text: string): string {
  if (!text.startsWith('pkcs11:')) return text
  const [, path = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(text) ?? []
  const encodedPath = path.replace(/[^\w.~:[\]@!$'()*+,=&;%-]/gu, encoded)
  return query === undefined ? encodedPath : `${encodedPath}?${query.replace(/[^\w.~:[\]@!$'()*+,=&/?|%-]/gu, encoded)}`
}

const encoded = (character: string): string =>
  Buffer.from(character).reduce((all, octet) => `${all}%${octet.toString(16).padStart(2, '0')}`, '')
