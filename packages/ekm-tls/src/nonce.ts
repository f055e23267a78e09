import { createHash } from 'node:crypto'
import type { Channel } from './channel.ts'

const PREFIX = Buffer.from('hardbound/v2\0', 'latin1')
const NO_CLIENT_CERTIFICATE = new Uint8Array(32)

/**
 * The nonce of binding v2: it commits to the connection, to both ends' keys and to the exact request.
 *
 * `base64url(SHA-256("hardbound/v2" ‖ 0x00 ‖ ekm ‖ SHA-256(server SPKI) ‖ SHA-256(client SPKI) or 0^32 ‖ SHA-256(request)))`
 *
 * @param request The request's octets exactly as they are sent.
 * @returns 43 ASCII characters, for one `eat_nonce`.
 * @throws {RangeError} when the channel's keying material is not 32 octets.
 */
export function bindingNonce(channel: Channel, request: Uint8Array): string {
  if (channel.ekm.length !== 32) throw new RangeError(`"ekm" must be 32 octets, got ${channel.ekm.length}`)
  return createHash('sha256')
    .update(PREFIX)
    .update(channel.ekm)
    .update(channel.serverSpkiSha256)
    .update(channel.clientSpkiSha256 ?? NO_CLIENT_CERTIFICATE)
    .update(createHash('sha256').update(request).digest())
    .digest('base64url')
}

/**
 * The two nonces of the published Go programs: `[hex(ekm), hex(SHA-256(token_jwt))]`, in this order. The first one shows
 * the keying material to whoever reads the attestation; use binding v2 wherever both ends are yours.
 *
 * @param ekm 32 octets exported with {@link GO_V1_EXPORTER}.
 * @param tokenJwt The request token as it is sent.
 */
export function goV1Nonces(ekm: Uint8Array, tokenJwt: string): [ekm: string, request: string] {
  return [Buffer.from(ekm).toString('hex'), createHash('sha256').update(tokenJwt, 'utf8').digest('hex')]
}
