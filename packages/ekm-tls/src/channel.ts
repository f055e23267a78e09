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
  // Not getPeerX509Certificate(): on a client it takes the first certificate out of the chain that OpenSSL keeps, so that
  // a second call gives the issuer's; and both X509 calls cost four times as much as these.
  const own = spkiSha256(socket.getCertificate())
  const peer = spkiSha256(socket.getPeerCertificate())
  const [serverSpkiSha256, clientSpkiSha256] = role === 'server' ? [own, peer] : [peer, own]
  if (serverSpkiSha256 === undefined) {
    throw new EkmTlsError('ERR_EKM_NOT_ESTABLISHED', 'the server has no certificate on this connection')
  }
  if (role === 'server' && peer !== undefined && !socket.authorized) {
    throw new EkmTlsError('ERR_EKM_UNTRUSTED', 'the client certificate did not verify')
  }
  return Object.freeze({ ekm, serverSpkiSha256, clientSpkiSha256 })
}

/** SHA-256 of the SubjectPublicKeyInfo inside a DER certificate, octet for octet as it stands there. */
function spkiSha256(certificate: object | null): Uint8Array | undefined {
  if (certificate === null || !('raw' in certificate) || !(certificate.raw instanceof Uint8Array)) return undefined
  return new Uint8Array(createHash('sha256').update(subjectPublicKeyInfo(certificate.raw)).digest())
}
