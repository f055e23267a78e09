import { openTpm, openTransport, type Tpm, type TpmTransport } from '@hardbound/tpm2'
import { tpmProperty } from '@hardbound/tpm2/commands'
import { type Finding, findingsOf, ownMessage } from './finding.ts'

const { ok, warning, problem } = findingsOf('tpm')
const COMMAND_MS = 3_000
const OPEN_MS = 5_000
/** TPMA_PERMANENT.inLockout, Part 2 §8.6. */
const IN_LOCKOUT = 1 << 9

/**
 * Asks a TPM who it is, and how many wrong passwords it has counted. No key is touched, no session is begun.
 *
 * @param address As of `hardbound aws tpm --tpm`, TCP included: nothing that is asked is secret.
 */
export async function probeTpm({ address }: { readonly address: string }): Promise<Finding[]> {
  let tpm: Tpm | undefined
  try {
    tpm = await openTpm({
      transport: async () =>
        asGuest(await openTransport(address, { dangerouslyAllowTcp: true, timeoutMs: COMMAND_MS })),
      commandTimeoutMs: COMMAND_MS,
      openTimeoutMs: OPEN_MS,
    })
    return await describe(tpm, address)
  } catch (error) {
    if (error instanceof TypeError) return [problem(error.message)]
    return [problem(ownMessage(error) ?? `${address} can't be talked to`, cureOf(error))]
  } finally {
    void tpm?.close() // a device that hangs is not waited for
  }
}

/** Objects and sessions in it may be in use by others: they are not flushed. */
const asGuest = (transport: TpmTransport): TpmTransport => ({
  description: transport.description,
  hasResourceManager: true,
  get isClosed() {
    return transport.isClosed === true
  },
  transmit: (command, options) => transport.transmit(command, options),
  close: () => transport.close(),
})

async function describe(tpm: Tpm, address: string): Promise<Finding[]> {
  const manufacturer = printable(await tpmProperty(tpm, 'manufacturer'))
  const firmware = await tpmProperty(tpm, 'firmwareVersion1')
  const findings = [ok(`${address} answers: ${manufacturer}, firmware ${firmware >>> 16}.${firmware & 0xffff}`)]
  const most = await tpmProperty(tpm, 'maxAuthFail')
  const failed = await tpmProperty(tpm, 'lockoutCounter')
  const interval = await tpmProperty(tpm, 'lockoutInterval')
  const cure = `one is forgotten every ${interval} s; at once by tpm2_dictionarylockout --clear-lockout`
  if (((await tpmProperty(tpm, 'permanent')) & IN_LOCKOUT) !== 0) {
    findings.push(problem(`the TPM is locked: it has counted ${failed} wrong passwords, and takes none now`, cure))
  } else if (failed > 0) {
    findings.push(warning(`the TPM has counted ${failed} wrong passwords; at ${most} it takes none any more`, cure))
  }
  return findings
}

/** Four octets that are letters. */
const printable = (octets: number): string =>
  [24, 16, 8, 0]
    .map((shift) => String.fromCharCode((octets >>> shift) & 0x7f))
    .join('')
    .replace(/[^\x20-\x7e]/g, '')
    .trim()

function cureOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_TPM_DEVICE') return 'look for another program that holds it: sudo fuser -v /dev/tpm0 /dev/tpmrm0'
  return code === 'ERR_TPM_TIMEOUT' ? 'another program may hold it, or it hangs: look at dmesg' : undefined
}
