import { expect, it } from '@jest/globals'
import { createSecretUse } from '../src/internal/secret-use.ts'

it('M26 wipes a key that comes just before close, and keeps nothing of it', async () => {
  let come = (_: Uint8Array): void => {}
  const unwrap = () => new Promise<Uint8Array>((resolve) => (come = resolve))
  const use = createSecretUse({ unwrap, policy: { maxAgeSeconds: 60 }, timeoutMs: 5000, clock: () => 0 })
  const seen: Uint8Array[] = []
  void use.use((secret) => seen.push(secret))
  const secret = new Uint8Array(44).fill(7)
  come(secret)
  await Promise.resolve() // it is there, and nobody was served yet
  use.close()
  await new Promise(setImmediate)
  expect(seen).toEqual([])
  expect(secret).toEqual(new Uint8Array(44))
})
