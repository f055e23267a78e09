import { afterEach, describe, expect, it, jest } from '@jest/globals'

const NAMES = ['HARDBOUND_ASKING_KMS', 'AWS_PROFILE'] as const
afterEach(() => {
  for (const name of NAMES) delete process.env[name]
  jest.resetModules()
})
/** As in a process that has just begun. */
const load = async () => (await import('../src/internal/kms-keys.ts')).guardAgainstOurselves

describe('guardAgainstOurselves', () => {
  it('lets one process ask again, and several of its sources', async () => {
    const guard = await load()
    for (let at = 0; at < 3; at++) guard({ 'kms-profile': 'instance' })
    expect(process.env.AWS_PROFILE).toBe('instance')
  })
  it('refuses in a process that such a one has started', async () => {
    process.env.HARDBOUND_ASKING_KMS = '1'
    const guard = await load()
    expect(() => guard({ 'kms-profile': 'instance' })).toThrow('would come from this same command')
  })
  it('asks for no source with the keys of another one', async () => {
    const guard = await load()
    guard({ 'kms-profile': 'one' })
    for (const flags of [{ 'kms-profile': 'two' }, {}]) expect(() => guard(flags)).toThrow('the same --kms-profile')
  })
})
