import { timingSafeEqual } from 'node:crypto'
import { bindingNonce, type Channel, goV1Nonces } from '@hardbound/ekm-tls'
import { BrokerError } from './errors.ts'
import type { Protocol } from './types.ts'

/** The nonces that an attestation must carry to be bound to this connection and this request, in their order. */
export function expectedNonces(protocol: Protocol, channel: Channel, bound: string): readonly string[] {
  return protocol === 'v2' ? [bindingNonce(channel, Buffer.from(bound, 'utf8'))] : goV1Nonces(channel.ekm, bound)
}

/**
 * The attested nonces are exactly the expected ones: same count, same order, same text. Compared in constant time.
 *
 * @throws {BrokerError} `binding_mismatch`
 */
export function assertBound(attested: readonly string[], expected: readonly string[]): void {
  if (attested.length !== expected.length) throw new BrokerError('binding_mismatch', 'binding.format')
  // Every nonce is compared, so that the time does not tell which one was wrong.
  const equal = expected.map((nonce, i) => equalText(attested[i] ?? '', nonce))
  const wrong = equal.indexOf(false)
  if (wrong >= 0) throw new BrokerError('binding_mismatch', `binding.nonce${wrong}`)
}

function equalText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8')]
  return left.length === right.length && timingSafeEqual(left, right)
}
