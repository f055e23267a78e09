import { DEFAULT_LIMITS } from '@hardbound/broker-core'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { loadBrokerConfig } from '../src/broker-config.ts'
import { snakeCase } from '../src/internal/config-error.ts'
import { prepareBroker } from '../src/prepare-broker.ts'
import { type Folder, makeBroker, makeFolder, POLICY } from './helpers.ts'

let folder: Folder
let made: Awaited<ReturnType<typeof makeBroker>>

beforeAll(async () => {
  folder = await makeFolder()
  made = await makeBroker(folder)
})
afterAll(() => folder.remove())

const prepare = async (changes: object, now?: number) =>
  prepareBroker(
    await loadBrokerConfig(await folder.write('broker.yaml', JSON.stringify({ ...made.config, ...changes }))),
    now === undefined ? {} : { now },
  )

describe('prepareBroker', () => {
  it('passes every limit on', async () => {
    const limits = Object.keys(DEFAULT_LIMITS).map((name, index) => [snakeCase(name), index + 1])
    const given = await prepare({ limits: Object.fromEntries(limits) })
    expect(given.limits).toEqual(
      Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name, index) => [name, index + 1])),
    )
    expect((await prepare({})).limits).toEqual({})
  })

  it('takes a policy from a file or in place, and knows it by its hash', async () => {
    const inFile = await prepare({})
    const inPlace = await prepare({ policy: POLICY })
    expect(inFile.policyDocument).toEqual(inPlace.policyDocument)
    expect(inPlace.policy.version).toMatch(/^[0-9a-f]{64}$/)
  })

  it('T04 knows what time it is', async () => {
    await expect(prepare({}, Date.now() + 400 * 86_400_000)).rejects.toMatchObject({
      problems: [{ path: 'tls.certificate_file' }],
    })
  })

  it('refuses two verifiers for the same tokens', async () => {
    const issuers = [{ type: 'google' }, { type: 'google' }]
    await expect(prepare({ attestation: { ...made.config.attestation, issuers } })).rejects.toMatchObject({
      problems: [{ path: 'attestation.issuers' }],
    })
  })
})
