import type { PcrSelection } from '../pcr-selection.ts'

/**
 * Reads a list of PCRs as tpm2-tools write it.
 *
 * @param text `sha256:0,7,23`, several banks with `+` between them; without a bank it is SHA-256.
 * @throws {TypeError}
 */
export function parsePcrs(text: string): PcrSelection[] {
  return text.split('+').map((bank) => {
    const [, hash = 'sha256', list] = /^(?:(sha1|sha256|sha384|sha512):)?(\d{1,2}(?:,\d{1,2})*)$/.exec(bank) ?? []
    const pcrs = list?.split(',').map(Number) ?? []
    if (pcrs.length === 0 || pcrs.some((pcr) => pcr > 23) || new Set(pcrs).size < pcrs.length) {
      throw new TypeError('"pcrs" must be like sha256:0,7,23, numbers from 0 to 23')
    }
    return { hash: hash as PcrSelection['hash'], pcrs }
  })
}
