const NAME = /^[\w.-]{1,64}$/
const ACCESS_KEY_ID = /^\w{16,128}$/

/** Parts of a credential scope: no `/`, no line feeds, nothing that could end up elsewhere in what is signed. */
export function assertScopePart(what: string, value: string): void {
  if (typeof value !== 'string' || !NAME.test(value))
    throw new TypeError(`"${what}" must be 1 to 64 of A-Z a-z 0-9 _ . -`)
}

/** @throws {TypeError} where this is no access key id. */
export function assertAccessKeyId(value: string): void {
  if (typeof value !== 'string' || !ACCESS_KEY_ID.test(value)) {
    throw new TypeError('"accessKeyId" must be 16 to 128 letters and digits')
  }
}

/** @throws {TypeError} where this can't be sent as a header. */
export function assertSessionToken(value: string | undefined): void {
  if (value !== undefined && !/^[\x21-\x7e]{1,16384}$/.test(value)) {
    throw new TypeError('"sessionToken" must be printable ASCII')
  }
}
