import type { TLSSocket } from 'node:tls'
import type { Channel } from '@hardbound/ekm-tls'
import type { Peer } from '../types.ts'
import { PUBLISHED_KEYS } from './published-keys.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2' // id-kp-clientAuth, RFC 5280 §4.2.1.12

/**
 * Who is at the other end of an established connection.
 *
 * @param refusedKeys Hex SHA-256 of SubjectPublicKeyInfos that the operator turned away.
 * @returns `undefined` when its certificate, though it chains to the client CA, must not identify a client: a CA, not for
 * client authentication, or with a key that everybody has.
 */
export function peerOf(socket: TLSSocket, channel: Channel, refusedKeys: ReadonlySet<string>): Peer | undefined {
  const address = socket.remoteAddress ?? 'unknown'
  if (channel.clientSpkiSha256 === undefined) return { address, spkiSha256: undefined, san: { dns: [], uri: [] } }
  const { ca, ext_key_usage: usages, subjectaltname } = socket.getPeerCertificate()
  const spkiSha256 = Buffer.from(channel.clientSpkiSha256).toString('hex')
  if (ca !== false || !usages?.includes(CLIENT_AUTH)) return undefined
  if (PUBLISHED_KEYS.has(spkiSha256) || refusedKeys.has(spkiSha256)) return undefined
  return { address, spkiSha256, san: subjectAltNames(subjectaltname) }
}

/**
 * Names of the kinds that policies can match, exactly as they stand in the certificate. Node quotes an entry that holds a
 * comma, a quote or a control character; no such entry can match.
 */
function subjectAltNames(text: string | undefined): Peer['san'] {
  const entries = text === undefined || text.includes('"') ? [] : text.split(', ')
  const ofKind = (kind: string): string[] =>
    entries.filter((it) => it.startsWith(kind)).map((it) => it.slice(kind.length))
  return { dns: ofKind('DNS:'), uri: ofKind('URI:') }
}
