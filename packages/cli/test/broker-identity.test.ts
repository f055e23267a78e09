import { confidentialSpaceLauncher, fromEkm } from '@hardbound/aws-ekm-credential'
import {
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestIssuer,
  type TestLauncher,
} from '@hardbound/testkit'
import { startSwtpm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { startVault, type TestVault } from '@hardbound/testkit/kms'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { AUDIENCE, type Folder, hardbound, makeBroker, makeFolder, ROLE, runBroker, USER } from './helpers.ts'

/** No AWS key: what signs is in `aws.identity`, or nowhere. */
const ENV = { PATH: process.env.PATH ?? '', AWS_EC2_METADATA_DISABLED: 'true' }

let folder: Folder
let aws: TestAws
let issuer: TestIssuer
let launcher: TestLauncher
let swtpm: TestSwtpm
let vault: TestVault
let made: Awaited<ReturnType<typeof makeBroker>>

beforeAll(async () => {
  ;[folder, aws, issuer, swtpm, vault] = await Promise.all([
    makeFolder(),
    startAws(),
    startIssuer(),
    startSwtpm(),
    startVault(),
  ])
  launcher = await startLauncher({ issuer })
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  made = await makeBroker(folder, { issuer, aws })
  const importing = ['tpm', 'import', '--tpm', swtpm.address, '--out', `${folder.path}/aws.pem`, '--pcrs', 'sha256:16']
  const { code, stderr } = await hardbound([...importing, '--json'], { stdin: USER.secretAccessKey })
  if (code !== 0) throw new Error(stderr)
  vault.addKey('transit', 'broker', Buffer.from(`AWS4${USER.secretAccessKey}`))
  await folder.write('vault-token', vault.addToken())
}, 60_000)
afterAll(async () => {
  await Promise.all([launcher?.close(), issuer?.close(), aws?.close(), swtpm?.stop(), vault?.close()])
  await folder?.remove()
})
beforeEach(() => {
  aws.calls.length = 0
})

const configure = (identity: object) =>
  folder.write(
    'broker.yaml',
    JSON.stringify({
      ...made.config,
      aws: { ...made.config.aws, identity: { access_key_id: USER.accessKeyId, ...identity } },
    }),
  )
const tpm = () => ({ tpm: { device: swtpm.address, key_file: 'aws.pem', pcrs: 'sha256:16' } })
const inVault = () => ({ vault: { address: vault.address, key: 'broker', token_file: 'vault-token' } })

async function grantFrom(config: string) {
  const broker = await runBroker(config, ENV)
  try {
    const credentials = fromEkm({
      broker: { url: broker.url, ca: made.pki.caPem },
      audience: AUDIENCE,
      roleArn: ROLE,
      attestation: confidentialSpaceLauncher({ socketPath: launcher.socketPath }),
      maxAttempts: 1,
    })
    return await credentials()
  } finally {
    await broker.stop()
  }
}

describe("a broker's own AWS identity", () => {
  it.each([
    ['a TPM', tpm],
    ['Vault', inVault],
  ])('is in %s: STS knows the user by its signature', async (_, identity) => {
    const config = await configure(identity())
    expect(await hardbound(['broker', 'check', '-c', config], { env: ENV })).toMatchObject({ code: 0 })
    await expect(grantFrom(config)).resolves.toMatchObject({ accessKeyId: expect.stringMatching(/^ASIA/) })
    expect(aws.calls).toMatchObject([{ action: 'AssumeRole', principal: USER.arn }])
  })

  it('M01 M15 is opened before the broker listens: it must be there, and be the key that was enrolled', async () => {
    for (const identity of [tpm(), inVault()]) {
      const config = await configure({ ...identity, known_answer: '0'.repeat(32) })
      await expect(grantFrom(config)).rejects.toThrow('ERR_HMAC_KNOWN_ANSWER')
    }
    await expect(grantFrom(await configure({ tpm: { ...tpm().tpm, device: '/dev/null' } }))).rejects.toThrow(
      'aws.identity',
    )
  })

  it.each([
    ['aws.identity', {}, 'needs one of tpm, pkcs11, vault, kms'],
    ['aws.identity', { tpm: { device: 'x', handle: '0x81010001' }, kms: { envelope_file: 'x' } }, 'needs one of'],
    ['aws.identity.tpm', { tpm: { device: '/dev/tpmrm0' } }, 'needs either handle or key_file'],
    ['aws.identity.tpm.key_file', { tpm: { device: '/dev/tpmrm0', key_file: 'ca.pem' } }, 'no TSS2 PRIVATE KEY'],
    ['aws.identity.tpm.pcrs', { tpm: { device: 'x', handle: '0x81010001', pcrs: '99' } }, 'must be like'],
    ['aws.identity.pkcs11', { pkcs11: { uri: 'pkcs11:nonsense' } }, ''],
    ['aws.identity.pkcs11.uri', { pkcs11: { uri: 'pkcs11:object=x?pin-value=1234' } }, 'must not hold the PIN'],
    ['aws.identity.vault.token_file', { vault: { address: 'https://v', key: 'k', token_file: 'nowhere' } }, 'ENOENT'],
    ['aws.identity.kms.envelope_file', { kms: { envelope_file: 'ca.pem' } }, 'no envelope'],
    ['aws.identity.known_answer', { ...inVaultAt('https://v'), known_answer: 'x' }, '32 lower-case'],
  ])('M13 R10 broker check says what is wrong with %s, and repeats no secret', async (key, identity, problem) => {
    const { code, stderr } = await hardbound(['broker', 'check', '-c', await configure(identity)], { env: ENV })
    expect(code).toBe(1)
    expect(stderr).toContain(`${key}`)
    expect(stderr).toContain(problem)
    expect(stderr).not.toContain('1234')
  })
})

function inVaultAt(address: string) {
  return { vault: { address, key: 'broker', token_file: 'vault-token' } }
}
