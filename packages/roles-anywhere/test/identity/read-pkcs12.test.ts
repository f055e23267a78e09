import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { RolesAnywhereError } from '../../src/errors.ts'
import { readPkcs12 } from '../../src/identity/read-pkcs12.ts'
import { createLab, type Lab, PASSWORD, rejection } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('ec')
  const files = ['-in', 'ec.crt', '-inkey', 'ec.key', '-passout', `pass:${PASSWORD}`]
  await lab.openssl('pkcs12', '-export', ...files, '-out', 'good.p12')
  await lab.openssl('pkcs12', '-export', ...files, '-iter', '1000000', '-nomaciter', '-out', 'bomb.p12')
  await lab.write('none.p12', 'nothing')
  await lab.write('huge.p12', Buffer.alloc(1_048_577))
})
afterAll(() => lab.remove())

describe('readPkcs12', () => {
  it('S14: says what is wrong in the words of this package, by name of the file', async () => {
    for (const [file, password, code, message] of [
      ['good', 'CANARY', 'ERR_RA_PASSWORD', 'good.p12 has another password than was given'],
      ['good', '', 'ERR_RA_PASSWORD', 'good.p12 has a password, and none was given'],
      [
        'good',
        'CANARYé',
        'ERR_RA_PASSWORD',
        'the password of good.p12 has other characters than ASCII: export it with another',
      ],
      [
        'none',
        '',
        'ERR_RA_KEY',
        'none.p12 is no PKCS #12 file with a password for its integrity and algorithms that are known here: export it by openssl pkcs12 -export',
      ],
      ['huge', '', 'ERR_RA_KEY', 'huge.p12 has more than 1048576 octets'],
      ['bomb', PASSWORD, 'ERR_RA_KEY', 'bomb.p12 takes too long to open: export it with fewer iterations (-iter)'],
    ] as const) {
      const from = `${file}.p12`
      const value = await readFile(lab.path(from))
      const error = await rejection(readPkcs12({ from, value }, Buffer.from(password), 500))
      expect(error).toBeInstanceOf(RolesAnywhereError)
      expect(error).toMatchObject({ code, message })
      expect(error.cause).toBeUndefined()
    }
  })

  it('passes on what is a mistake of ours', async () => {
    await expect(readPkcs12({ from: 'a', value: Buffer.of(0) }, Buffer.of(), 0)).rejects.toThrow(RangeError)
  })
})
