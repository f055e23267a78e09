import { createHash, generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Folder, hardbound, makeBroker, makeFolder, POLICY, ROLE } from './helpers.ts'

const DAY_MS = 86_400_000

let folder: Folder
let made: Awaited<ReturnType<typeof makeBroker>>

beforeAll(async () => {
  folder = await makeFolder()
})
beforeEach(async () => {
  made = await makeBroker(folder)
})
afterAll(() => folder.remove())

interface Result {
  readonly ok: boolean
  readonly problems: { path: string; problem: string }[]
  readonly warnings: { path: string; problem: string }[]
  readonly rules: object[]
}

async function check(changes: object = {}): Promise<Result> {
  const file = await folder.write('broker.yaml', JSON.stringify({ ...made.config, ...changes }))
  const { code, stdout } = await hardbound(['broker', 'check', '-c', file, '--json'])
  const result = JSON.parse(stdout) as Result
  expect(code).toBe(result.ok ? 0 : 1)
  return result
}

async function problems(changes: object = {}): Promise<string[]> {
  return (await check(changes)).problems.map(({ path }) => path)
}

describe('hardbound broker check', () => {
  it('shows what would be granted to whom', async () => {
    const { code, stdout, stderr } = await hardbound(['broker', 'check', '-c', made.file])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('rule reader')
    expect(stdout).toContain(`${ROLE}, up to 3600 s`)
    expect(stdout).toContain('project numbers: 123456789012')
  })

  it('shows measurements one by one', async () => {
    const [mrtd, rtmr1] = ['e', '1'].map((digit) => digit.repeat(96))
    const workload = { issuer: 'intel', measurements: { mrtd: [mrtd], rtmr1: [rtmr1] } }
    const policy = { ...POLICY, rules: [{ ...POLICY.rules[0], workload }] }
    const { rules } = await check({ policy })
    expect(rules).toMatchObject([{ to: expect.arrayContaining([`mrtd: ${mrtd}`, `rtmr1: ${rtmr1}`]) }])
  })

  it('does the same for scripts', async () => {
    expect(await check()).toMatchObject({ ok: true, problems: [], warnings: [], rules: [{ rule: 'reader' }] })
  })

  it('takes a policy in place, and every kind of issuer', async () => {
    const issuers = [
      { type: 'google', hwmodels: ['GCP_INTEL_TDX'] },
      { type: 'google-pki' },
      { type: 'intel', region: 'eu' },
      { type: 'azure', issuer: 'https://example.weu.attest.azure.net', policy_hashes: ['A'.repeat(43)] },
    ]
    const attestation = { ...made.config.attestation, issuers }
    const result = await check({ attestation, policy: { version: 1, rules: [] }, limits: { requests_per_second: 5 } })
    expect(result).toMatchObject({ ok: true, warnings: [], rules: [] })
  })

  it('R13 lists all problems at once, on stderr, naming keys and files', async () => {
    const file = await folder.write(
      'broker.yaml',
      JSON.stringify({
        ...made.config,
        tls: { ...made.config.tls, key_file: 'none.pem' },
        aws: { regions: ['hunter2'] },
        policy: 'none.yaml',
      }),
    )
    const { code, stdout, stderr } = await hardbound(['broker', 'check', '-c', file])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`tls.key_file: ${folder.path}/none.pem does not exist`)
    expect(stderr).toContain('aws.regions: ')
    expect(stderr).toContain(`policy: ${folder.path}/none.yaml does not exist`)
    expect(stderr).not.toContain('hunter2')
  })

  it('T15 key: another one, encrypted, empty, open to others', async () => {
    const other = await made.pki.issue({ commonName: 'other' })
    await folder.write('key.pem', other.keyPem)
    expect(await problems()).toEqual(['tls.key_file'])
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' },
    })
    await folder.write('key.pem', privateKey)
    expect((await check()).problems).toEqual([{ path: 'tls.key_file', problem: 'is encrypted' }])
    await folder.write('key.pem', '')
    expect(await problems()).toEqual(['tls.key_file'])
    await folder.write('key.pem', made.server.keyPem, 0o640)
    expect(await problems()).toEqual(['tls.key_file'])
  })

  it('R13 certificate and key swapped', async () => {
    const tls = { certificate_file: 'key.pem', key_file: 'cert.pem' }
    expect(await problems({ tls })).toEqual(['tls.certificate_file', 'tls.key_file'])
  })

  it('T04 certificate: expired, not valid yet; soon to expire is a warning', async () => {
    const issue = async (from: number, to: number) => {
      const dates = { notBefore: new Date(Date.now() + from * DAY_MS), notAfter: new Date(Date.now() + to * DAY_MS) }
      const { certPem, keyPem } = await made.pki.issue({ commonName: 'broker', dns: ['localhost'], ...dates })
      await folder.write('cert.pem', certPem)
      await folder.write('key.pem', keyPem)
    }
    await issue(-2, -1)
    expect(await problems()).toEqual(['tls.certificate_file'])
    await issue(1, 2)
    expect(await problems()).toEqual(['tls.certificate_file'])
    await issue(-1, 1)
    expect((await check()).warnings.map(({ path }) => path)).toEqual(['tls.certificate_file'])
  })

  it('T20 an authority without a certificate; T05 a CRL that is none', async () => {
    await folder.write('junk.pem', 'junk')
    const tls = { ...made.config.tls, client_ca_file: 'junk.pem', crl_file: 'junk.pem' }
    expect(await problems({ tls })).toEqual(['tls.client_ca_file', 'tls.crl_file'])
    expect(await problems({ tls: { ...made.config.tls, client_ca_file: 'ca.pem' } })).toEqual([])
  })

  it('P02 P03 a policy that can not be loaded', async () => {
    await folder.write('policy.yaml', 'version: 1\nrules: []\nrulez: []\n')
    expect((await check()).problems).toEqual([
      { path: 'policy', problem: expect.stringMatching(/policy\.yaml: rulez: unknown key$/) },
    ])
    expect(await problems({ policy: { version: 1, rules: [{ id: '*' }] } })).toEqual(['policy'])
  })

  it('Y15 keys over plain HTTP, from nowhere, from two places', async () => {
    const with_ = (issuer: object) => ({ attestation: { ...made.config.attestation, issuers: [issuer] } })
    const at = 'attestation.issuers[0]'
    expect(await problems(with_({ type: 'google', jwks_url: 'http://127.0.0.1/jwks' }))).toEqual([`${at}.jwks_url`])
    expect(await problems(with_({ type: 'google', jwks_file: 'none.json' }))).toEqual([`${at}.jwks_file`])
    expect(await problems(with_({ type: 'google', jwks_ca_file: 'ca.pem' }))).toEqual([`${at}.jwks_ca_file`])
    await folder.write('jwks.json', '{"keys":[]}')
    expect(await problems(with_({ type: 'google', jwks_file: 'jwks.json' }))).toEqual([`${at}.jwks_file`])
    expect(await problems(with_({ type: 'google', hwmodels: ['GCP_SHIELDED_VM'] }))).not.toEqual([])
  })

  it('U10 aws.endpoint over plain HTTP off the loopback', async () => {
    expect(await problems({ aws: { regions: ['eu-west-1'], endpoint: 'http://sts.example.com' } })).toEqual([
      'aws.endpoint',
    ])
  })

  it('warns of roots of one own', async () => {
    const root = createHash('sha256').update('root').digest('hex')
    const issuers = [{ type: 'google-pki', root_sha256: [root] }]
    const { warnings } = await check({ attestation: { ...made.config.attestation, issuers } })
    expect(warnings.map(({ path }) => path)).toEqual(['attestation.issuers[0].root_sha256'])
  })
})
