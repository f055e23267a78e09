import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { importPkcs11HmacKey, listPkcs11HmacKeys, openPkcs11Hmac } from '../src/index.ts'
import { KEY } from './helpers.ts'

let softHsm: TestSoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm()
  softHsm.activate()
})
afterAll(() => softHsm.remove())

describe('listPkcs11HmacKeys', () => {
  it('tells which keys can be used, and why others can not', async () => {
    expect(await listPkcs11HmacKeys({ uri: softHsm.uri() })).toEqual([])
    await importPkcs11HmacKey({ uri: softHsm.uri('good').replace('?', ';id=%0a%01?'), secret: KEY })
    await softHsm.writeKey({ label: 'open', value: KEY, sensitive: false, extractable: true })
    await softHsm.tool('--keygen', '--key-type', 'AES:32', '--label', 'aes')
    const keys = await listPkcs11HmacKeys({ uri: softHsm.uri() })
    expect(keys.map(({ label, id, problem }) => [label, id, problem]).sort()).toEqual([
      ['aes', '', expect.stringContaining('type')],
      ['good', '0a01', undefined],
      ['open', '', expect.stringContaining('CKA_SENSITIVE')],
    ])
    const uri = keys.find(({ label }) => label === 'good')?.uri ?? ''
    expect(uri).toContain(';object=good;id=%0A%01?')
    const backend = await openPkcs11Hmac({ uri })
    await backend.close()
  })

  it('says so where the token is not there', async () => {
    const uri = `pkcs11:token=none?module-path=${softHsm.modulePath}`
    await expect(listPkcs11HmacKeys({ uri })).rejects.toMatchObject({ code: 'ERR_HMAC_UNAVAILABLE' })
  })
})
