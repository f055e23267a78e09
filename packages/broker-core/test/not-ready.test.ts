import { expect, it } from '@jest/globals'
import { type BrokerInit, createBroker } from '../src/index.ts'

it.each([
  [true, true, []],
  [false, true, ['audit']],
  [true, false, ['attestation_keys']],
  [false, false, ['audit', 'attestation_keys']],
])('L01 Y05 says what is missing before grants can succeed: audit %s, keys %s', (audit, keys, missing) => {
  const parts = {
    audit: { ready: () => audit },
    verifier: { ready: () => keys },
    policy: {},
    issuers: [],
    audience: 'x',
  }
  expect(createBroker(parts as unknown as BrokerInit).notReady()).toEqual(missing)
})
