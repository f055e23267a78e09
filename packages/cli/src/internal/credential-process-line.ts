import { resolve } from 'node:path'

/**
 * The line for `~/.aws/config`.
 *
 * @param name Of the command: `tpm` for `hardbound aws tpm`.
 * @param flags In their order; `true` for one without a value, several values for one that is repeated; those that are `undefined` or
 *   `false` are left out.
 */
export function credentialProcessLine(
  name: string,
  flags: Readonly<Record<string, string | readonly string[] | boolean | undefined>>,
): string {
  const words = Object.entries(flags).flatMap(([flag, value]) => {
    if (value === undefined || value === false) return []
    return value === true ? [`--${flag}`] : [value].flat().flatMap((it) => [`--${flag}`, quoted(it)])
  })
  return `credential_process = hardbound aws ${[name, ...words].join(' ')}`
}

/** Where a password will come from when nobody is there to be asked. */
export function unattendedSource(source: string | undefined): string | undefined {
  if (source === undefined || source.startsWith('env:')) return source
  return source.startsWith('file:') ? `file:${resolve(source.slice('file:'.length))}` : 'file:/path/to/password'
}

/**
 * Most AWS tools split the line at spaces, but not between double quotes; the SDK for JavaScript has a shell run it. What means something
 * to a shell even between double quotes, or would start another line, is left to the user.
 */
const quoted = (word: string): string => {
  if (/^[\w@%+=:,./…-]+$/.test(word)) return word
  return /[$`"\\\p{Cc}\p{Cf}]/u.test(word) ? '…' : `"${word}"`
}
