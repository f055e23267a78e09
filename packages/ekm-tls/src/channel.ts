import { createHash } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { EkmTlsError } from './errors.ts'
import { type Exporter, exportKeyingMaterial, TLS_EXPORTER } from './exporter.ts'
import { subjectPublicKeyInfo } from './internal/spki.ts'

/** What both ends of one TLS connection know of it. Taken once, when the handshake ends. */
export interface Channel {
  /** Exported keying material. Secret: never log it, never send it, never use it as a key. */
  readonly ekm: Uint8Array
  /** SHA-256 of the server's leaf SubjectPublicKeyInfo, DER: 32 octets. */
  readonly serverSpkiSha256: Uint8Array
  /** The same for the client's leaf certificate; `undefined` where the client showed none. */
  readonly clientSpkiSha256: Uint8Array | undefined
}

/**
 * Takes the channel of an established TLS 1.3 connection: on a server in `secureConnection`, on a client after
 * `secureConnect`. Later is too late: certificates may be reloaded, and a destroyed socket has no keying material.
 *
 * @param role Which end of the connection the caller is.
 * @throws {EkmTlsError} as {@link exportKeyingMaterial}; `ERR_EKM_UNTRUSTED` on a server whose client showed a
 * certificate that did not verify.
 */
export function captureChannel(
  socket: TLSSocket,
  role: 'client' | 'server',
  exporter: Exporter = TLS_EXPORTER,
): Channel {
  const ekm = exportKeyingMaterial(socket, exporter)
  const own = spkiSha256(socket.getX509Certificate()?.raw)
  const peer = spkiSha256(peerCertificate(socket, role))
  const [serverSpkiSha256, clientSpkiSha256] = role === 'server' ? [own, peer] : [peer, own]
  if (serverSpkiSha256 === undefined) {
    throw new EkmTlsError('ERR_EKM_NOT_ESTABLISHED', 'the server has no certificate on this connection')
  }
  if (role === 'server' && peer !== undefined && !socket.authorized) {
    throw new EkmTlsError('ERR_EKM_UNTRUSTED', 'the client certificate did not verify')
  }
  return Object.freeze({ ekm, serverSpkiSha256, clientSpkiSha256 })
}

/**
 * The peer's leaf certificate, DER. On a client, `getPeerX509Certificate()` takes the first certificate out of the chain
 * that OpenSSL keeps, so that a second call would give the issuer's; `getPeerCertificate()` leaves the chain alone.
 */
function peerCertificate(socket: TLSSocket, role: 'client' | 'server'): Uint8Array | undefined {
  if (role === 'server') return socket.getPeerX509Certificate()?.raw
  return (socket.getPeerCertificate() as { raw?: Uint8Array } | null)?.raw
}

/** SHA-256 of the SubjectPublicKeyInfo inside a DER certificate, octet for octet as it stands there. */
function spkiSha256(certificate: Uint8Array | undefined): Uint8Array | undefined {
  if (certificate === undefined) return undefined
  return new Uint8Array(createHash('sha256').update(subjectPublicKeyInfo(certificate)).digest())
}
