import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Problem } from '../src/internal/config-error.ts'
import { parseServe } from '../src/serve/serve-flags.ts'
import { readSourcesConfig } from '../src/sources/read-config.ts'
import { parseUpdate } from '../src/update/update-flags.ts'
import { type Folder, makeFolder } from './helpers.ts'

let folder: Folder
beforeAll(async () => {
  folder = await makeFolder()
})
afterAll(() => folder.remove())

describe('a file of sources', () => {
  it('has paths that start at its folder; URIs, selectors and names are left alone', async () => {
    const roles_anywhere = {
      certificate: 'a.pem',
      private_key: 'pkcs11:object=a',
      store: 'folder:certs',
      selector: 'Key=x509SubjectCN,Value=a.example.com',
      pin: 'file:pin',
      session_name: 'name',
      ca: '/etc/ca.pem',
    }
    const file = await folder.write('paths.yaml', JSON.stringify({ sources: { a: { roles_anywhere } } }))
    const { sources } = await readSourcesConfig(file)
    expect(sources[0]?.flags).toEqual({
      certificate: join(folder.path, 'a.pem'),
      'private-key': 'pkcs11:object=a',
      store: `folder:${join(folder.path, 'certs')}`,
      selector: 'Key=x509SubjectCN,Value=a.example.com',
      pin: `file:${join(folder.path, 'pin')}`,
      'session-name': 'name',
      ca: '/etc/ca.pem',
    })
  })

  it('tells all that is wrong at once: keys, flags, and what does not go together', async () => {
    const sources = {
      a: { tpm: { nonsense: 1 } },
      b: { ekm: {}, allowed_resources: ['https://storage.azure.com'] },
      c: { ekm: {}, tpm: {} },
      d: { azure_ekm: {}, container: true },
    }
    const file = await folder.write('wrong.yaml', JSON.stringify({ sources, more: 1 }))
    const { problems } = await readSourcesConfig(file).catch((error) => error)
    expect(problems.map(({ path, problem }: Problem) => `${path}: ${problem}`)).toEqual([
      'sources.a.tpm: unknown flag nonsense',
      'sources.b.allowed_resources: does not go with ekm',
      expect.stringMatching(/^sources\.c: must have one of ekm, tpm/),
      'sources.d.container: does not go with azure-ekm',
      'more: unknown key',
    ])
  })

  it('is listened for where the command line says, before what it says itself', async () => {
    const sources = { a: { ekm: {} } }
    const file = await folder.write('listen.yaml', JSON.stringify({ listen: '127.0.0.1:1', sources }))
    const config = await parseServe(['-c', file, '--listen', '127.0.0.1:2']).config()
    expect(config.listen).toBe('127.0.0.1:2')
    expect((await parseServe([`--config=${file}`]).config()).listen).toBe('127.0.0.1:1')
  })

  it('F08 is written to the shared file that is named first: flag, file, variable; sources of Azure to none', async () => {
    const env = { AWS_SHARED_CREDENTIALS_FILE: '/variable' }
    const sources = { a: { ekm: {} }, b: { azure_ekm: {} } }
    const file = await folder.write('update.yaml', JSON.stringify({ credentials_file: 'own', sources }))
    const of = async (...args: string[]) => await parseUpdate(args, env).targets()
    const targets = await of('-c', file)
    expect(targets).toMatchObject({ file: join(folder.path, 'own'), sources: [{ name: 'a' }] })
    expect(targets.sources).toHaveLength(1)
    expect(await of('-c', file, '--credentials-file', '/flag')).toHaveProperty('file', '/flag')
    expect(await of('ekm')).toHaveProperty('file', '/variable')
    const azure = await folder.write('azure.yaml', JSON.stringify({ sources: { b: { azure_ekm: {} } } }))
    await expect(of('-c', azure)).rejects.toThrow('there is none of AWS')
  })
})

describe('parseServe', () => {
  it('I20 takes users by their number alone', async () => {
    const { allowUids } = await parseServe(['ekm', '--allow-uid', '1000', '--allow-uid', '0']).config()
    expect(allowUids).toEqual([1000, 0])
    for (const uid of ['root', '-1', '1e3', ''])
      expect(() => parseServe(['ekm', `--allow-uid=${uid}`])).toThrow('number')
  })
})
