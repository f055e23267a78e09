import { createHmacSigner, type HmacBackend, softwareHmac } from '@hardbound/sigv4-hmac'
import type { Benchmark } from './row.ts'

const SIGNATURES = 1_000
const AT_A_TIME = 50

/** How often the hardware is asked for 1,000 signatures of one day, region and service, 50 at a time. */
export const hardwareCalls: Benchmark = {
  name: 'hardware-calls',
  async run() {
    const key = softwareHmac({ secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' })
    let calls = 0
    const backend: HmacBackend = {
      ...key,
      async hmacSha256(message) {
        calls++
        await new Promise((resolve) => setTimeout(resolve, 20)) // as slow as a TPM: many arrive meanwhile
        return key.hmacSha256(message)
      },
    }
    const now = Date.now() // one day, also when the clock passes midnight
    const signer = createHmacSigner({
      backend,
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      region: 'us-east-1',
      service: 'sts',
      clock: () => now,
    })
    for (let done = 0; done < SIGNATURES; done += AT_A_TIME) {
      const batch = Array.from({ length: AT_A_TIME }, () =>
        signer.sign({ url: 'https://sts.us-east-1.amazonaws.com/' }),
      )
      await Promise.all(batch)
    }
    return {
      name: 'hardware-calls',
      value: calls,
      unit: `calls for ${SIGNATURES} signatures`,
      against: 1,
      peer: 'one',
      ratio: calls,
      goal: '1',
      pass: calls === 1,
    }
  },
}
