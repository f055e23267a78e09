import type { X509Certificate } from 'node:crypto'
import type { Findings } from './config-error.ts'

const SOON_MS = 14 * 86_400_000

/**
 * Says when a certificate is not valid, or soon won't be.
 *
 * @param path Its key in the configuration.
 * @param now Milliseconds since the epoch.
 */
export function checkDates(
  { validFrom, validTo }: X509Certificate,
  path: string,
  findings: Findings,
  now: number,
): void {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)]
  if (now < from) findings.add(path, `is valid only from ${new Date(from).toISOString()}`)
  else if (now > to) findings.add(path, `expired at ${new Date(to).toISOString()}`)
  else if (to - now < SOON_MS) findings.warn(path, `expires at ${new Date(to).toISOString()}`)
}
