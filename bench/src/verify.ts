import { verify as rsaVerify } from 'node:crypto'
import { createGoogleVerifier, createStaticKeySet } from '@hardbound/attestation-verify'
import { startIssuer } from '@hardbound/testkit'
import { type Benchmark, interleaved, rounded } from './row.ts'

const BATCH = 400
const ROUNDS = 31

/** Verifying an attestation, its key at hand, against the RS256 signature alone. */
export const verify: Benchmark = {
  name: 'verify',
  async run() {
    const issuer = await startIssuer()
    const audience = 'https://broker.example.com'
    const token = issuer.token({ audience, nonces: ['n'.repeat(43)] })
    const keys = issuer.keys.map(({ jwk }) => jwk)
    await issuer.close()
    const verifier = createGoogleVerifier({ keys: createStaticKeySet({ keys }) })
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const signed = Buffer.from(`${header}.${payload}`)
    const octets = Buffer.from(signature, 'base64url')
    const { createPublicKey } = await import('node:crypto')
    const key = createPublicKey({ key: keys[0]! as import('node:crypto').JsonWebKey, format: 'jwk' })

    const ours = () => perSecond(async () => void (await verifier.verify(token, { audience })))
    const floor = () =>
      perSecond(() => {
        if (!rsaVerify('sha256', signed, key, octets)) throw new Error('the benchmark is wrong')
      })
    await ours()
    await floor()
    const { value, against, ratio: paired } = await interleaved(ROUNDS, ours, floor)
    const ratio = rounded(paired)
    return {
      name: 'verify',
      value: Math.round(value),
      unit: 'verifications/s',
      against: Math.round(against),
      peer: 'bare RS256 crypto.verify',
      ratio,
      goal: '>= 0.5x',
      pass: ratio >= 0.5,
    }
  },
}

async function perSecond(work: () => void | Promise<void>): Promise<number> {
  const start = process.hrtime.bigint()
  for (let i = 0; i < BATCH; i++) await work()
  return BATCH / (Number(process.hrtime.bigint() - start) / 1e9)
}
