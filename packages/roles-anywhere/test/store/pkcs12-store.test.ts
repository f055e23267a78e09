import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { pkcs12Store } from '../../src/store/pkcs12-store.ts'
import { selectedIdentity } from '../../src/store/selected-identity.ts'
import { type MadeCertificate, type OpensslFolder, opensslFolder } from '../openssl-certificate.ts'

let folder: OpensslFolder
let leaf: MadeCertificate
let ca: MadeCertificate
let file: string

beforeAll(async () => {
  folder = await opensslFolder()
  ca = await folder.certificate({
    name: 'ca',
    subject: ['CN = CA'],
    extensions: ['basicConstraints = critical, CA:TRUE'],
  })
  leaf = await folder.certificate({ name: 'leaf', subject: ['CN = leaf'], issuer: 'ca' })
  file = join(folder.path, 'both.p12')
  const input = ['-in', 'leaf.pem', '-inkey', 'leaf.key', '-certfile', 'ca.pem']
  await folder.run('pkcs12', '-export', ...input, '-passout', 'pass:secret', '-out', file)
})
afterAll(() => folder.remove())

describe('pkcs12Store', () => {
  it('lists the certificates of a file, and opens the one with a key', async () => {
    const store = pkcs12Store({ file, password: 'secret' })
    const listed = await store.list()
    expect(listed.map(({ certificate }) => Buffer.from(certificate)).sort(Buffer.compare)).toEqual(
      [leaf.der, ca.der].sort(Buffer.compare),
    )
    const source = await store.open(listed.find(({ certificate }) => leaf.der.equals(certificate))!)
    expect(leaf.der.equals((await source.current()).certificate)).toBe(true)
    await source.close()
    const without = await store.open(listed.find(({ certificate }) => ca.der.equals(certificate))!)
    await expect(without.current()).rejects.toMatchObject({ code: 'ERR_RA_MISMATCH' })
    await store.close()
  })

  it('asks a person once, also for the identity', async () => {
    const password = jest.fn(() => 'secret')
    const source = selectedIdentity({ store: pkcs12Store({ file, password }) })
    expect(leaf.der.equals((await source.current()).certificate)).toBe(true)
    await source.current()
    expect(password).toHaveBeenCalledTimes(1)
    await source.close()
  })

  it('refuses a wrong password, a missing one, and what is no path', async () => {
    await expect(pkcs12Store({ file, password: 'wrong' }).list()).rejects.toMatchObject({ code: 'ERR_RA_PASSWORD' })
    await expect(pkcs12Store({ file }).list()).rejects.toMatchObject({ code: 'ERR_RA_PASSWORD' })
    await expect(pkcs12Store({ file: `${file}.none` }).list()).rejects.toMatchObject({ code: 'ERR_RA_FILE' })
    expect(() => pkcs12Store({ file: '' })).toThrow(TypeError)
  })
})
