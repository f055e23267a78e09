import { describe, expect, it } from '@jest/globals'
import { onceLoaded } from '../src/internal/load-sdk.ts'

describe('onceLoaded', () => {
  it('says what to install where a package is missing', async () => {
    const load = onceLoaded('@example/sdk', () => {
      return Promise.reject(Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' }))
    })
    await expect(load()).rejects.toMatchObject({
      code: 'ERR_HMAC_MODULE',
      tryNextLink: true,
      message: 'kms: needs the package @example/sdk beside it: npm install @example/sdk',
    })
  })
  it('loads once, and tries again after a failure', async () => {
    let tries = 0
    const load = onceLoaded('@example/sdk', () => {
      tries += 1
      return tries === 1 ? Promise.reject(new SyntaxError('broken')) : Promise.resolve('sdk')
    })
    await expect(load()).rejects.toMatchObject({ code: 'ERR_HMAC_MODULE', message: "kms: can't load @example/sdk" })
    expect(await Promise.all([load(), load()])).toEqual(['sdk', 'sdk'])
    expect(tries).toBe(2)
  })
})
