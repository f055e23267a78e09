import { Pkcs12Error } from './errors.ts'
import { readContents } from './internal/read-contents.ts'
import type { Pkcs12Contents } from './types.ts'

/** How long it may take. */
export interface ReadPkcs12Options {
  /** Milliseconds after which it gives up, 1 to 600000. Default: 15000. */
  readonly maxTimeMs?: number | undefined
}

const MAX_OCTETS = 1_048_576
/** A file says itself how often its password is hashed, up to years; node-forge does about 50,000 times in a second. */
const DEFAULT_TIME_MS = 15_000
const MAX_TIME_MS = 600_000

/**
 * Opens a PKCS #12 file (RFC 7292) in password integrity mode: PBES2 with AES, or the older 3DES and RC2, which OpenSSL 3 has lost.
 * By node-forge, which is loaded with the first call. It takes neither PBMAC1 (RFC 9579) nor passwords that are not ASCII. Nothing
 * else runs in this thread meanwhile.
 *
 * @param pfx 1 MiB at most.
 * @param password Printable ASCII. The empty one is tried in both of its forms.
 * @throws {Pkcs12Error}; {TypeError} or {RangeError} on wrong arguments.
 */
export async function readPkcs12(
  pfx: Uint8Array,
  password: Uint8Array | string,
  { maxTimeMs = DEFAULT_TIME_MS }: ReadPkcs12Options = {},
): Promise<Pkcs12Contents> {
  if (!(pfx instanceof Uint8Array)) throw new TypeError('"pfx" must be octets')
  if (!Number.isInteger(maxTimeMs) || maxTimeMs < 1 || maxTimeMs > MAX_TIME_MS) {
    throw new RangeError(`"maxTimeMs" must be 1 to ${MAX_TIME_MS}, got ${maxTimeMs}`)
  }
  if (pfx.length > MAX_OCTETS) {
    throw new Pkcs12Error('ERR_PKCS12_SIZE', `the PKCS #12 file has more than ${MAX_OCTETS} octets`)
  }
  const octets = latin1(pfx) // now: what is passed may be wiped while node-forge is loaded
  const text = passwordText(password)
  const [{ default: forge }, { runInNewContext }] = await Promise.all([import('node-forge'), import('node:vm')])
  try {
    // No sandbox: a deadline for what does not await.
    const work = () => readContents(forge, octets, text)
    return runInNewContext('work()', { work }, { timeout: maxTimeMs }) as Pkcs12Contents
  } catch (error) {
    throw asPkcs12Error(error)
  }
}

function passwordText(password: Uint8Array | string): string {
  if (typeof password !== 'string' && !(password instanceof Uint8Array)) {
    throw new TypeError('"password" must be text or octets')
  }
  const text = typeof password === 'string' ? password : latin1(password)
  if (/^[\x20-\x7e]*$/.test(text)) return text
  throw new Pkcs12Error('ERR_PKCS12_PASSWORD_CHARACTERS', 'the password has other characters than printable ASCII')
}

/** One character an octet, which is what node-forge works on; no copy that would have to be wiped. */
const latin1 = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('latin1')

function asPkcs12Error(error: unknown): Pkcs12Error {
  if (error instanceof Pkcs12Error) return error
  if (error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
    return new Pkcs12Error('ERR_PKCS12_TIME', 'the PKCS #12 file takes too long to open: it has too many iterations')
  }
  const why = 'it is not PKCS #12 in password integrity mode with algorithms that are known here'
  return new Pkcs12Error('ERR_PKCS12_FORMAT', why)
}
