import { readFileSync } from 'node:fs'
import { loadPolicy } from '@hardbound/broker-core'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readSourcesConfig } from '../src/sources/read-config.ts'
import { type Folder, hardbound, makeBroker, makeFolder } from './helpers.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const [brokerYaml = '', identityYaml = '', azureYaml = '', policyYaml = '', sourcesYaml = ''] = [
  ...README.matchAll(/```yaml\n(.*?)```/gs),
].map(([, text]) => text)

let folder: Folder

beforeAll(async () => {
  folder = await makeFolder()
})
afterAll(() => folder.remove())

describe('README', () => {
  it('has a configuration and a policy that a broker takes', async () => {
    const { server, pki } = await makeBroker(folder)
    await folder.write('server.pem', server.certPem)
    await folder.write('server-key.pem', server.keyPem)
    await folder.write('clients-ca.pem', pki.caPem)
    await folder.write('policy.yaml', policyYaml)
    const { code, stdout, stderr } = await hardbound([
      'broker',
      'check',
      '-c',
      await folder.write('b.yaml', brokerYaml),
    ])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('rule reader')
    expect(loadPolicy(policyYaml).version).toMatch(/^[0-9a-f]{64}$/)
  })

  it('has an AWS identity in each kind of hardware that a broker takes', async () => {
    await makeBroker(folder)
    await folder.write('pin', '1234')
    await folder.write('token', 'hvs.example')
    const vectors = readFileSync(new URL('../../tpm2/test/vectors/key-files.json', import.meta.url), 'utf8')
    await folder.write('aws.pem', (JSON.parse(vectors) as { cases: { pem: string }[] }).cases[0]!.pem)
    const base = brokerYaml.replace(/^aws:\n.*\n/m, '').replace(/^policy: .*$/m, 'policy: policy.yaml')
    const commented = [...identityYaml.matchAll(/^ {4}# (?=(?:tpm|vault):)(.*)$/gm)].map(([, line]) => line ?? '')
    expect(commented).toHaveLength(2)
    for (const line of [undefined, ...commented]) {
      const identity =
        line === undefined ? identityYaml : identityYaml.replace(/^ {4}pkcs11:.*$/m, `    ${line.replace(/ #.*/, '')}`)
      const { code, stderr } = await hardbound(['broker', 'check', '-c', await folder.write('i.yaml', base + identity)])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    }
  })

  it('has an Azure application with each proof that a broker takes', async () => {
    const { pki } = await makeBroker(folder)
    const { certPem, keyPem } = await pki.issue({ commonName: 'azure', keyType: 'RSA-2048' })
    for (const [name, content] of [
      ['azure.pem', certPem],
      ['azure.key', keyPem],
      ['azure-secret', 'secret'],
      ['pin', '1234'],
    ]) {
      await folder.write(name!, content!)
    }
    const base = brokerYaml.replace(/^aws:\n.*\n/m, '').replace(/^policy: .*$/m, 'policy: { version: 1, rules: [] }')
    const inHsm = / {10}pkcs11:.*\n/
    const all = / {8}certificate:\n(?: {10}.*\n)+/
    for (const azure of [
      azureYaml,
      azureYaml.replace(inHsm, '          key_file: azure.key\n'),
      azureYaml.replace(all, '        client_secret_file: azure-secret\n'),
    ]) {
      const { code, stderr } = await hardbound(['broker', 'check', '-c', await folder.write('z.yaml', base + azure)])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    }
    const example = readFileSync(new URL('../../../examples/azure-blob/README.md', import.meta.url), 'utf8')
    const [theirs = '', theirPolicy = ''] = [...example.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text)
    await folder.write('broker-azure.pem', certPem)
    await folder.write('broker-azure.key', keyPem)
    await folder.write('their-policy.yaml', theirPolicy)
    const whole = base.replace(/^policy: .*$/m, 'policy: their-policy.yaml') + theirs
    const { code, stderr } = await hardbound(['broker', 'check', '-c', await folder.write('e.yaml', whole)])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const key of [
      'pfx_file',
      'password_file',
      'passphrase_file',
      'tpm',
      'algorithm',
      'federated_token_file',
      'ca_file',
    ]) {
      expect(azureYaml).toContain(`${key}`)
    }
  })

  it('has a file of sources that are taken', async () => {
    const { sources, listen } = await readSourcesConfig(await folder.write('sources.yaml', sourcesYaml))
    expect(listen).toBe('127.0.0.1:9911')
    expect(sources.map(({ name, source }) => [name, source.name])).toEqual([
      ['reader', 'roles-anywhere'],
      ['auditor', 'tpm'],
      ['blobs', 'azure-ekm'],
    ])
    expect(sources[0]?.flags.certificate).toBe(`${folder.path}/client.pem`)
    expect(sources[1]?.flags['key-auth']).toBe(`file:${folder.path}/tpm-password`)
  })

  it('has examples whose flags exist', async () => {
    const examples = [...README.matchAll(/^ {4}hardbound (\w+(?: [a-z][\w-]*)?)(.*)$/gm)]
    expect(examples.length).toBeGreaterThan(8)
    const flagsOf = new Map<string, string[]>() // of all examples of a command, as each start of one takes a while
    for (const [, command = '', rest = ''] of examples) {
      const flags = [...rest.matchAll(/(?<= )--?[a-z][\w-]*/g)].map(([flag]) => flag)
      flagsOf.set(command, [...(flagsOf.get(command) ?? []), ...flags])
    }
    for (const [command, flags] of flagsOf) {
      const { stdout } = await hardbound([...command.split(' '), '--help'])
      for (const flag of flags) expect(stdout).toContain(flag)
    }
  }, 60_000)

  it('has a credential_process line whose flags exist', async () => {
    const line = /^credential_process = hardbound (.*)$/m.exec(README)?.[1]?.split(' ') ?? []
    const { code, stderr } = await hardbound(line)
    expect(code).toBe(1) // its CA is not on this machine
    expect(stderr).toContain('--ca: /etc/hardbound/ca.pem')
  })

  it('has a credential_process line for a certificate whose flags exist', async () => {
    const line = /^credential_process = hardbound (aws roles-anywhere .*)$/m.exec(README)?.[1]?.split(' ') ?? []
    const { code, stderr } = await hardbound(line)
    expect(code).toBe(1) // the certificate is not on this machine
    expect(stderr).toContain('[ERR_RA_FILE]')
  })
})
