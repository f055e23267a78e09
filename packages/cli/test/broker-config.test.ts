import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { loadBrokerConfig } from '../src/broker-config.ts'
import { ConfigError } from '../src/internal/config-error.ts'
import { type Folder, makeBroker, makeFolder } from './helpers.ts'

let folder: Folder
let made: Awaited<ReturnType<typeof makeBroker>>

beforeAll(async () => {
  folder = await makeFolder()
  made = await makeBroker(folder)
})
afterAll(() => folder.remove())

/** Which keys `broker.yaml` is refused for. */
async function refusedFor(text: string | Buffer): Promise<readonly { path: string; problem: string }[]> {
  await writeFile(made.file, text)
  const error: unknown = await loadBrokerConfig(made.file).catch((it: unknown) => it)
  expect(error).toBeInstanceOf(ConfigError)
  const { problems } = error as ConfigError
  expect(JSON.stringify(problems)).not.toContain('hunter2')
  return problems
}

/** The working configuration with `value` at a dotted path; `undefined` deletes. */
function changed(path: string, value: unknown): string {
  const set = (it: unknown, [key = '', ...rest]: string[]): object => {
    const parent = (it ?? {}) as Record<string, unknown>
    return { ...parent, [key]: rest.length === 0 ? value : set(parent[key], rest) }
  }
  return JSON.stringify(set(made.config, path.split('.')))
}

describe('loadBrokerConfig', () => {
  it('takes paths from the folder of the file, and has defaults', async () => {
    await writeFile(made.file, changed('listen.host', undefined))
    const config = await loadBrokerConfig(made.file)
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 0 })
    expect(config.pathOf(config.tls.key_file)).toBe(`${folder.path}/key.pem`)
  })

  it.each<[string, unknown, string?]>([
    ['listn', {}],
    ['tls.hunter', true],
    ['listen.port', 'hunter2'],
    ['listen.port', 65_536],
    ['listen', undefined],
    ['tls.certificate_file', ''],
    ['tls.key_file', undefined],
    ['tls.crl_file', 'hunter2.crl'],
    ['tls.refused_spki_sha256', ['hunter2'], 'tls.refused_spki_sha256[0]'],
    ['attestation.audience', 'https://sts.googleapis.com'],
    ['attestation.audience', 42],
    ['attestation.issuers', []],
    ['attestation.issuers', [{ type: 'hunter2' }], 'attestation.issuers[0].type'],
    ['attestation.issuers', [{ type: 'google', root_sha256: [] }], 'attestation.issuers[0].root_sha256'],
    [
      'attestation.issuers',
      [{ type: 'google', dangerously_allow_debug_images: 'hunter2' }],
      'attestation.issuers[0].dangerously_allow_debug_images',
    ],
    ['attestation.issuers', [{ type: 'azure', issuer: 'hunter2' }], 'attestation.issuers[0].policy_hashes'],
    ['aws.regions', []],
    ['aws.access_key_id', 'hunter2'],
    ['aws.secret_access_key', 'hunter2'],
    ['audit', undefined],
    ['go_v1', true],
    ['limits.max_body_bytes', -1],
    ['limits.maxBodyBytes', 1],
    ['policy', 42],
  ])('R13 names the key, never the value: %s', async (path, value, named = path) => {
    expect((await refusedFor(changed(path, value))).map((it) => it.path)).toContain(named)
  })

  it('R13 finds all mistakes at once', async () => {
    const twice = JSON.stringify({ ...made.config, listen: { port: 'x' }, audit: {} })
    expect((await refusedFor(twice)).map(({ path }) => path)).toEqual(['listen.port', 'audit.file'])
  })

  it.each([
    ['P04 a key twice', 'listen: {port: 1}\nlisten: {port: 2}'],
    ['P04 an anchor', 'listen: &a {port: 1}'],
    ['P04 an alias', 'listen: *hunter2'],
    ['P04 a tag', 'listen: !!js/function hunter2'],
    ['P04 hexadecimal', 'listen: {port: 0x10}'],
    ['P04 NaN', 'listen: {port: .nan}'],
    ['P04 a tab', 'listen:\n\tport: 1'],
    ['P04 a directive', '%YAML 1.1\n---\nlisten: {}'],
    ['P04 two documents', 'listen: {}\n---\nlisten: {}'],
    ['P04 deep brackets', '['.repeat(20_000)],
    ['P04 deep dashes', '- '.repeat(20_000)],
    ['R13 nothing', ''],
    ['R13 a list', '- listen'],
    ['R13 octets that are no text', Buffer.from([0xff, 0xfe, 0x00])],
  ])('%s: refuses', async (_, text) => {
    expect((await refusedFor(text)).length).toBeGreaterThan(0)
  })

  it('names a file that is not there', async () => {
    await expect(loadBrokerConfig(`${folder.path}/none.yaml`)).rejects.toMatchObject({
      name: 'CliError',
      exitCode: 1,
      message: expect.stringContaining('none.yaml does not exist'),
    })
  })
})
