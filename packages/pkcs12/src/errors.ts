/** Why a file was not opened. A caller's own mistake is a `TypeError` or `RangeError` instead. */
export type Pkcs12ErrorCode =
  | 'ERR_PKCS12_SIZE' // more than 1 MiB
  | 'ERR_PKCS12_FORMAT' // no PKCS #12 in password integrity mode, a damaged one, or algorithms that are not known here
  | 'ERR_PKCS12_PASSWORD' // wrong or missing; or the file was changed, which its MAC can't tell apart
  | 'ERR_PKCS12_PASSWORD_CHARACTERS' // the password has others than printable ASCII
  | 'ERR_PKCS12_TIME' // `maxTimeMs` passed: the file wants its password hashed too often

/** Messages have nothing of the file, nor of the password. There is no `cause`, as one by node-forge could. */
export class Pkcs12Error extends Error {
  override readonly name = 'Pkcs12Error'
  readonly code: Pkcs12ErrorCode

  constructor(code: Pkcs12ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
