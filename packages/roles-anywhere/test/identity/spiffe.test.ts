import { mkdir, rename } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spiffeIdentity } from '../../src/identity/spiffe.ts'
import { createLab, EC, type Lab, rejection, signs, subjects } from './lab.ts'

let lab: Lab
const svid = (...uris: string[]) => ['-addext', `subjectAltName=${uris.map((it) => `URI:${it}`).join(',')}`]
beforeAll(async () => {
  lab = await createLab()
  await mkdir(lab.path('svids'))
  for (const [name, ...uris] of [
    ['one', 'spiffe://example.com/one'],
    ['two', 'spiffe://example.com/two'],
    ['both', 'spiffe://example.com/a', 'spiffe://example.com/b'],
    ['web', 'https://example.com/'],
  ] as const) {
    await lab.leaf(name, EC, ...svid(...uris))
  }
  await lab.leaf('none')
})
afterAll(() => lab.remove())

/** As `spire-agent api fetch x509 -write` does it. */
async function agentWrites(name: string, index = 0): Promise<void> {
  await lab.write(`svids/svid.${index}.pem`, (await lab.text(`${name}.crt`)) + (await lab.text('intermediate.crt')))
  await lab.write(`svids/svid.${index}.key`, await lab.text(`${name}.key`))
  await lab.write(`svids/bundle.${index}.pem`, await lab.text('root.crt'))
}

describe('spiffeIdentity', () => {
  it('F: reads the files of the agent, with the chain beside the SVID, and follows its rotation', async () => {
    await agentWrites('one')
    const source = spiffeIdentity({ directory: lab.path('svids'), spiffeId: 'spiffe://example.com/one' })
    expect(source.name).toBe('spiffe')
    const identity = await source.current()
    expect(await signs(identity)).toBe(true)
    expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
    await agentWrites('two')
    expect(await source.current()).toBe(identity) // of another workload, so it does not count
    await source.close()
    const any = spiffeIdentity({ directory: lab.path('svids') })
    expect(subjects([(await any.current()).certificate])).toEqual(['CN=two.example.com'])
  })

  it('reads one of several SVIDs, and those that spiffe-helper names', async () => {
    await agentWrites('one', 3)
    expect(await signs(await spiffeIdentity({ directory: lab.path('svids'), index: 3 }).current())).toBe(true)
    await lab.write('svid.pem', await lab.text('one.crt'))
    await rename(lab.path('one.key'), lab.path('svid_key.pem'))
    await lab.write('svid_bundle.pem', (await lab.text('root.crt')) + (await lab.text('intermediate.crt')))
    const identity = await spiffeIdentity({
      certificateFile: lab.path('svid.pem'),
      privateKeyFile: lab.path('svid_key.pem'),
      bundleFile: lab.path('svid_bundle.pem'),
    }).current()
    expect(subjects(identity.chain)).toEqual(['CN=intermediate.example.com'])
  })

  it.each([
    ['none', /no SPIFFE ID/],
    ['both', /several URIs/],
    ['web', /no SPIFFE ID/],
  ])('refuses what is no SVID: %s', async (name, message) => {
    const source = spiffeIdentity({ certificateFile: lab.path(`${name}.crt`), privateKeyFile: lab.path(`${name}.key`) })
    expect(await rejection(source)).toMatchObject({
      code: 'ERR_RA_CERTIFICATE',
      message: expect.stringMatching(message),
    })
  })

  it('refuses an SVID of another name, a missing one, and options that are none', async () => {
    const two = { certificateFile: lab.path('two.crt'), privateKeyFile: lab.path('two.key') }
    expect(await rejection(spiffeIdentity({ ...two, spiffeId: 'spiffe://example.com/one' }))).toMatchObject({
      code: 'ERR_RA_CERTIFICATE',
      message: expect.stringMatching(/is of spiffe:\/\/example.com\/two, not of/),
    })
    expect((await rejection(spiffeIdentity({ directory: lab.path('nowhere') }))).code).toBe('ERR_RA_FILE')
    expect(() => spiffeIdentity({ ...two, spiffeId: 'https://example.com' })).toThrow(TypeError)
    expect(() => spiffeIdentity({ directory: '/tmp', index: -1 })).toThrow(RangeError)
    expect(() => spiffeIdentity({ directory: '' })).toThrow(TypeError)
  })
})
