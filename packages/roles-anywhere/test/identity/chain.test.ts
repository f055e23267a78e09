import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chainOf } from '../../src/identity/chain.ts'
import { createLab, EC, type Lab, RSA, subjects } from './lab.ts'

let lab: Lab
const CA = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']
/** `ca<n>`, issued by the one before; `ca0` signed itself. */
async function authority(n: number, newkey: readonly string[] = EC): Promise<void> {
  const issuer = n === 0 ? [] : ['-CA', `ca${n - 1}.crt`, '-CAkey', `ca${n - 1}.key`]
  const out = ['-keyout', `ca${n}.key`, '-out', `ca${n}.crt`]
  await lab.openssl('req', '-x509', '-nodes', ...newkey, '-subj', `/CN=ca${n}`, '-days', '30', ...out, ...CA, ...issuer)
}
beforeAll(async () => {
  lab = await createLab()
  for (const n of [0, 1, 2, 3, 4, 5, 6]) await authority(n, n === 2 ? RSA : EC)
  await lab.openssl(
    'req',
    '-x509',
    '-nodes',
    ...EC,
    '-subj',
    '/CN=leaf',
    '-days',
    '30',
    '-CA',
    'ca6.crt',
    '-CAkey',
    'ca6.key',
    '-keyout',
    'l6.key',
    '-out',
    'l6.crt',
  )
  await lab.openssl(
    'req',
    '-x509',
    '-key',
    'l6.key',
    '-subj',
    '/CN=leaf',
    '-days',
    '30',
    '-CA',
    'ca5.crt',
    '-CAkey',
    'ca5.key',
    '-out',
    'l5.crt',
  )
  await lab.openssl(
    'req',
    '-x509',
    '-nodes',
    ...RSA,
    '-subj',
    '/CN=ca5',
    '-days',
    '30',
    '-keyout',
    'impostor.key',
    '-out',
    'impostor.crt',
    ...CA,
    '-CA',
    'ca0.crt',
    '-CAkey',
    'ca0.key',
  )
})
afterAll(() => lab.remove())

const certificate = async (name: string) => new X509Certificate(await lab.text(`${name}.crt`)).raw
const all = (...names: string[]) => Promise.all(names.map(certificate))

describe('chainOf', () => {
  it('orders the issuers from the leaf on, and leaves out root, leaf, doubles and strangers', async () => {
    const others = await all('ca0', 'ca3', 'l5', 'impostor', 'ca1', 'ca5', 'ca2', 'ca4', 'ca3', 'ca6')
    const chain = await chainOf(await certificate('l5'), others, 'a file')
    expect(subjects(chain)).toEqual(['CN=ca5', 'CN=ca4', 'CN=ca3', 'CN=ca2', 'CN=ca1'])
  })

  it('stops where an issuer is missing, and tells nobody where some were found', async () => {
    const told: unknown[] = []
    const chain = await chainOf(await certificate('l5'), await all('ca5', 'ca3'), 'a file', (it) => told.push(it))
    expect(subjects(chain)).toEqual(['CN=ca5'])
    expect(told).toEqual([])
  })

  it('has names alone count for nothing', async () => {
    const told: unknown[] = []
    expect(await chainOf(await certificate('l5'), await all('impostor'), 'a file', (it) => told.push(it))).toEqual([])
    expect(told).toHaveLength(1)
  })

  it('needs none where there are none, or the root alone', async () => {
    const told: unknown[] = []
    expect(await chainOf(await certificate('l5'), await all('ca0', 'l5'), 'a file', (it) => told.push(it))).toEqual([])
    expect(told).toEqual([])
  })

  it('refuses more than the service takes, more than is reasonable, and what is no certificate', async () => {
    const others = await all('ca1', 'ca2', 'ca3', 'ca4', 'ca5', 'ca6')
    const leaf = await certificate('l6')
    await expect(chainOf(leaf, others, 'a file')).rejects.toMatchObject({
      code: 'ERR_RA_CHAIN',
      message: expect.stringMatching(/more than the 5 intermediates/),
    })
    await expect(chainOf(leaf, Array(257).fill(others[0]), 'a file')).rejects.toMatchObject({ code: 'ERR_RA_CHAIN' })
    await expect(chainOf(leaf, [Buffer.of(0x30, 0)], 'a file')).rejects.toMatchObject({ code: 'ERR_RA_CERTIFICATE' })
  })
})
