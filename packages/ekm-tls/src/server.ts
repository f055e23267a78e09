import { constants } from 'node:crypto'
import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import { type Channel, captureChannel } from './channel.ts'
import { type Exporter, TLS_EXPORTER } from './exporter.ts'

/**
 * TLS options of a server whose connections can be bound to: TLS 1.3 only, no session tickets (RFC 8446 §4.6.1), HTTP/1.1
 * by ALPN, ten seconds for a handshake. Spread them last, so that nothing weakens them.
 */
export function ekmServerOptions(): TlsOptions {
  return {
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // Node still sends NewSessionTicket messages; with this flag nothing can resume from them.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: 10_000,
  }
}

/** The channels of a server's live connections. */
export interface ChannelRegistry {
  /**
   * One channel for each exporter, in their order, as they were when the handshake ended; `undefined` for a socket that
   * is not of this server.
   */
  get(socket: object): readonly Channel[] | undefined
}

/**
 * Captures the channel of each connection when its handshake ends, before any request is read. A connection that can't be
 * bound to (resumed, unverified client certificate, no exporter) is destroyed.
 *
 * @param exporters What to export. Default: RFC 9266 `tls-exporter` alone.
 */
export function captureChannels(server: Server, exporters: readonly Exporter[] = [TLS_EXPORTER]): ChannelRegistry {
  const channels = new WeakMap<object, readonly Channel[]>()
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    try {
      const captured = exporters.map((exporter) => captureChannel(socket, 'server', exporter))
      channels.set(socket, captured)
      socket.once('close', () => {
        for (const { ekm } of captured) ekm.fill(0)
      })
    } catch (error) {
      socket.destroy()
      server.emit('tlsClientError', error, socket)
    }
  })
  return { get: (socket) => channels.get(socket) }
}
