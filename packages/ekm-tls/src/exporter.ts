import type { TLSSocket } from 'node:tls'
import { EkmTlsError } from './errors.ts'

/** What to ask the TLS exporter for: RFC 8446 §7.5, RFC 5705 §4. */
export interface Exporter {
  /** ASCII label; registered ones begin with `EXPORTER-`. */
  readonly label: string
  /** Context octets. TLS 1.3 does not tell an empty context from none (RFC 8446 §7.5). Default: none. */
  readonly context?: Uint8Array
  /** Octets to export, 1 to 255. */
  readonly length: number
}

/** The `tls-exporter` channel binding: RFC 9266 §2. */
export const TLS_EXPORTER: Exporter = Object.freeze({ label: 'EXPORTER-Channel-Binding', length: 32 })

/** What the published Go programs export. The label is not a registered one. */
export const GO_V1_EXPORTER: Exporter = Object.freeze({ label: 'my_nonce', length: 32 })

/**
 * Exports keying material from an established TLS 1.3 connection. Both ends get the same octets, and nobody else does.
 *
 * @returns `exporter.length` fresh octets; the caller owns them and may zero them.
 * @throws {EkmTlsError} `ERR_EKM_NOT_ESTABLISHED` before the end of the handshake and after the socket is gone;
 * `ERR_EKM_PROTOCOL_VERSION` below TLS 1.3, where exporters need the extended master secret (RFC 7627 §5.4);
 * `ERR_EKM_RESUMED` on a resumed session.
 * @throws {TypeError} on a label that is empty, longer than 249 octets or not ASCII.
 * @throws {RangeError} on a length outside 1 to 255.
 */
export function exportKeyingMaterial(socket: TLSSocket, exporter: Exporter = TLS_EXPORTER): Uint8Array {
  assertExporter(exporter)
  assertBindable(socket)
  try {
    const context = exporter.context === undefined ? Buffer.alloc(0) : Buffer.from(exporter.context)
    return new Uint8Array(socket.exportKeyingMaterial(exporter.length, exporter.label, context))
  } catch (cause) {
    throw new EkmTlsError('ERR_EKM_NOT_ESTABLISHED', 'the TLS connection gives no keying material', { cause })
  }
}

/** Refuses every connection whose keying material would not be fresh and shared by exactly two ends. */
function assertBindable(socket: TLSSocket): void {
  const version = socket.destroyed ? null : socket.getProtocol()
  if (version === null) {
    throw new EkmTlsError('ERR_EKM_NOT_ESTABLISHED', 'the TLS handshake is not over, or the socket is gone')
  }
  if (version !== 'TLSv1.3') {
    throw new EkmTlsError('ERR_EKM_PROTOCOL_VERSION', `TLS 1.3 is required, the connection speaks ${version}`)
  }
  if (socket.isSessionReused()) {
    throw new EkmTlsError('ERR_EKM_RESUMED', 'the TLS session was resumed; a full handshake is required')
  }
}

function assertExporter({ label, length }: Exporter): void {
  if (!/^[\x20-\x7e]{1,249}$/.test(label)) throw new TypeError('"label" must be 1 to 249 ASCII characters')
  if (!Number.isInteger(length) || length < 1 || length > 255) {
    throw new RangeError(`"length" must be 1 to 255 octets, got ${length}`)
  }
}
