/** Why a credentials file was not written. Wrong arguments are a `TypeError` or `RangeError` instead. */
export type CredentialsFileErrorCode =
  | 'ERR_CREDENTIALS_FILE_UNSAFE' // others may write the file or its folder, or it is not a plain file of its owner
  | 'ERR_CREDENTIALS_FILE_DENIED' // the system does not let us: permissions, or a read-only file system
  | 'ERR_CREDENTIALS_FILE_FULL' // no space left, or the quota is used up; the file is as it was
  | 'ERR_CREDENTIALS_FILE_LOCKED' // another updater holds it, or somebody keeps changing it
  | 'ERR_CREDENTIALS_FILE_TOO_LARGE' // more than 8 MiB: not a credentials file
  | 'ERR_CREDENTIALS_FILE_CREDENTIALS' // what the provider gave can't be written: no keys, or characters that would break the file
  | 'ERR_CREDENTIALS_FILE_IO' // anything else that the system said

/** Messages name files, folders, users and the cure; never a key or a line of the file. */
export class CredentialsFileError extends Error {
  override readonly name = 'CredentialsFileError'
  readonly code: CredentialsFileErrorCode

  constructor(code: CredentialsFileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const CODES: Readonly<Record<string, CredentialsFileErrorCode>> = {
  ENOSPC: 'ERR_CREDENTIALS_FILE_FULL',
  EDQUOT: 'ERR_CREDENTIALS_FILE_FULL',
  EROFS: 'ERR_CREDENTIALS_FILE_DENIED',
  EACCES: 'ERR_CREDENTIALS_FILE_DENIED',
  EPERM: 'ERR_CREDENTIALS_FILE_DENIED',
  ELOOP: 'ERR_CREDENTIALS_FILE_UNSAFE',
  ENOTDIR: 'ERR_CREDENTIALS_FILE_UNSAFE',
}

/** Names what the system said; `file` is the one the caller asked for. */
export function fileError(file: string, cause: unknown): unknown {
  const errno = errnoOf(cause)
  if (errno === undefined) return cause
  return new CredentialsFileError(CODES[errno] ?? 'ERR_CREDENTIALS_FILE_IO', `can't update ${file}: ${errno}`, {
    cause,
  })
}

/** `ENOENT` and the like, of errors of the system; undefined for others. */
export function errnoOf(error: unknown): string | undefined {
  const known = error instanceof Error && 'syscall' in error && 'code' in error
  return known && typeof error.code === 'string' ? error.code : undefined
}
