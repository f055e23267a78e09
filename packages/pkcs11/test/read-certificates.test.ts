import { readFile } from 'node:fs/promises'
import { describe, expect, it } from '@jest/globals'
import { openToken } from '../src/index.ts'
import { readCertificates } from '../src/signing-key.ts'
import { faults } from './helpers.ts'
import { answerAttributes, path, softHsm } from './signing-token.ts'

describe('readCertificates', () => {
  it('reads those with a label, with an id, and all', async () => {
    const token = await openToken({ uri: softHsm.uri() })
    const der = await readFile(path('imported.der'))
    const expected = { label: 'its certificate', id: Buffer.of(0x0a, 0x01), der }
    await token.withSession((session) => {
      expect(readCertificates(session, { object: 'its certificate' })).toEqual([expected])
      expect(readCertificates(session, { id: Buffer.of(0x0a, 0x01) })).toEqual([expected])
      expect(readCertificates(session)).toContainEqual(expected)
      expect(readCertificates(session, { object: 'absent' })).toEqual([])
    })
    await token.close()
  })

  it('leaves out those that lie elsewhere', async () => {
    const token = await openToken({ uri: softHsm.uri(), addon: faults.addon })
    answerAttributes(new Map([[0x11, Buffer.alloc(0)]]))
    expect(await token.withSession((session) => readCertificates(session))).toEqual([])
    await token.close()
  })
})
