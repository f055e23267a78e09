import { assertTimeout } from './internal/deadline.ts'
import type { TpmTransport } from './transport.ts'

/** How to open a transport. */
export interface OpenTransportOptions {
  /** To connect, in milliseconds. Default: 5 000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Allows the TCP forms, whose commands and answers anybody on the way can read and change. For simulators. */
  readonly dangerouslyAllowTcp?: boolean
}

/**
 * Opens a way to a TPM. By its address:
 * - `/dev/tpmrm0`, `/dev/tpm0`: a character device of Linux, with and without resource manager;
 * - `unix:/run/swtpm.sock`: swtpm, started with `--server type=unixio`;
 * - `swtpm:127.0.0.1:2321`: swtpm, started with `--server type=tcp`;
 * - `mssim:127.0.0.1:2321`: the simulator of the TCG reference code, platform commands on the next port.
 *
 * @throws {TypeError} on an address of another form, and on TCP without `dangerouslyAllowTcp`.
 * @throws {RangeError} on a time that can't be.
 * @throws {Tpm2Error} `ERR_TPM_UNREACHABLE`, `ERR_TPM_DEVICE`, `ERR_TPM_TIMEOUT` or `ERR_TPM_ABORTED`.
 */
export async function openTransport(address: string, options: OpenTransportOptions = {}): Promise<TpmTransport> {
  const { timeoutMs = 5_000, signal } = options
  assertTimeout('timeoutMs', timeoutMs)
  const within = { timeoutMs, signal }
  // Each loads other parts of Node, and a command that signs once wants to start fast.
  const socket = () => import('./internal/socket-transport.ts')
  if (address.startsWith('/')) return (await import('./internal/device-transport.ts')).openDevice(address, within)
  if (address.startsWith('unix:/')) {
    return (await socket()).openSocket({ path: address.slice('unix:'.length) }, address, within)
  }
  const [, kind, bracketed, plain, digits] = TCP.exec(address) ?? []
  const [host, port] = [bracketed ?? plain, Number(digits)]
  if (host === undefined || port < 1 || port > 65_534) {
    throw new TypeError('a TPM is at /dev/…, unix:/path, swtpm:host:port or mssim:host:port')
  }
  if (options.dangerouslyAllowTcp !== true) {
    throw new TypeError('TPMs over TCP are for simulators, and must be allowed with "dangerouslyAllowTcp"')
  }
  if (kind === 'mssim')
    return (await import('./internal/mssim-transport.ts')).openMssim({ host, port }, address, within)
  return (await socket()).openSocket({ host, port }, address, within)
}

const TCP = /^(swtpm|mssim):(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+)):(\d{1,5})$/i
