import { describe, expect, it } from '@jest/globals'
import { systemStore } from '../../src/store/system-store.ts'

describe('systemStore', () => {
  it('is the one that the system has', () => {
    expect(systemStore({ platform: 'win32', storeName: 'MY' }).name).toBe('windows')
    expect(systemStore({ platform: 'darwin', storeName: 'MY' }).name).toBe('macos')
  })

  it('says so where there is none', () => {
    expect(() => systemStore({ platform: 'linux' })).toThrow(
      expect.objectContaining({
        code: 'ERR_RA_STORE',
        message: expect.stringContaining('unable to use cert store signer on linux'),
      }),
    )
  })
})
