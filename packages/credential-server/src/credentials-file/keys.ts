import { CredentialsFileError } from './errors.ts'

/** AWS credentials, as every provider of an AWS SDK returns them. */
export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Missing for keys of a user, which have none; then the profile loses the one that it had. */
  readonly sessionToken?: string | undefined
  /** When they end. Without it they count as keys that last. */
  readonly expiration?: Date | undefined
}

/** Printable and without spaces. Parsers that know comments cut at `#` and `;`, which AWS never uses in keys. */
const VALUE = /^[!"$-:<-~]{1,16384}$/
const LINE_BREAKER = /[\p{Cc}[\]=#;]/u

/** @throws {CredentialsFileError} `ERR_CREDENTIALS_FILE_CREDENTIALS`, without the value. */
export function assertKeys(keys: AwsKeys): void {
  const { accessKeyId, secretAccessKey, sessionToken } = keys ?? {}
  const values = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string' && VALUE.test(value)) continue
    const why = typeof value === 'string' && value !== '' ? 'has characters that no key of AWS has' : 'is missing'
    throw new CredentialsFileError('ERR_CREDENTIALS_FILE_CREDENTIALS', `"${name}" ${why}; nothing was written`)
  }
}

/** @throws {TypeError} on a name that a header can't hold, or that parsers would read as another one. */
export function assertProfile(profile: string): void {
  const fits = typeof profile === 'string' && profile !== '' && Buffer.byteLength(profile) <= 255
  if (!fits || LINE_BREAKER.test(profile) || profile.trim() !== profile) {
    throw new TypeError(
      '"profile" must have 1 to 255 octets, no control characters, none of []=#; and no space at its ends',
    )
  }
}

/** @throws {TypeError} on what can't be a path. */
export function assertPath(name: string, path: string): void {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw new TypeError(`"${name}" must be a path`)
}
