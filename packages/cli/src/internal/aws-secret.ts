import { CliError } from '../cli-error.ts'

const PREFIX = Buffer.from('AWS4')

/**
 * The HMAC key that SigV4 starts from: `AWS4` and the secret access key. A secret that has the prefix already is taken as it is.
 *
 * @param secret As it was typed, 40 characters of base64; white space around it is left out.
 * @param any Whether to take a secret of another form.
 * @returns A copy that the caller zeroes, as it does `secret`.
 * @throws {CliError} which says nothing of the secret.
 */
export function awsHmacKey(secret: Buffer, { any }: { any: boolean }): Buffer {
  let [start, end] = [0, secret.length]
  while (start < end && isSpace(secret[start])) start += 1
  while (start < end && isSpace(secret[end - 1])) end -= 1
  const bare = secret.subarray(start, end)
  if (bare.length === 44 && bare.subarray(0, 4).equals(PREFIX) && isBase64(bare)) return Buffer.from(bare)
  if (!any && !(bare.length === 40 && isBase64(bare))) {
    throw new CliError(
      'this is not an AWS secret access key (40 characters, base64); --any-secret takes it all the same',
    )
  }
  return Buffer.concat([PREFIX, bare])
}

const isSpace = (octet: number | undefined): boolean =>
  octet === 0x20 || octet === 0x09 || octet === 0x0a || octet === 0x0d

/** Looks at octets, not at a string: strings can't be zeroed. */
const isBase64 = (octets: Buffer): boolean =>
  octets.every(
    (it) =>
      (it >= 0x41 && it <= 0x5a) ||
      (it >= 0x61 && it <= 0x7a) ||
      (it >= 0x30 && it <= 0x39) ||
      it === 0x2b ||
      it === 0x2f,
  )
