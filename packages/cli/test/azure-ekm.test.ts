import { execFile, spawn } from 'node:child_process'
import { generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startIssuer, startLauncher, type TestIssuer, type TestLauncher } from '@hardbound/testkit'
import { startEntra, type TestEntra } from '@hardbound/testkit/azure'
import { createSoftHsm, startSwtpm, type TestSoftHsm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import {
  AUDIENCE,
  COMMAND,
  ENV,
  type Folder,
  hardbound,
  IMAGE_DIGEST,
  makeBroker,
  makeFolder,
  runBroker,
} from './helpers.ts'

const TENANT = '11111111-2222-4333-8444-555555555555'
const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'
const SECRET = 'canary~Secret.0123456789'
const SCOPE = 'https://storage.azure.com/.default'
const POLICY = {
  version: 1,
  rules: [
    {
      id: 'blobs',
      workload: { image_digests: [IMAGE_DIGEST] },
      protocols: ['v2', 'go-v1'],
      grant: { azure: { tenant_id: TENANT, client_id: CLIENT, scopes: [SCOPE] } },
    },
  ],
}
const FEDERATED = {
  issuer: 'https://oidc.example.com',
  subject: 'system:broker',
  audience: 'api://AzureADTokenExchange',
}
const run = promisify(execFile)

let folder: Folder
let issuer: TestIssuer
let launcher: TestLauncher
let entra: TestEntra
let softHsm: TestSoftHsm
let swtpm: TestSwtpm
let made: Awaited<ReturnType<typeof makeBroker>>
const certificates: string[] = []

beforeAll(async () => {
  ;[folder, issuer, entra, softHsm, swtpm] = await Promise.all([
    makeFolder(),
    startIssuer(),
    startEntra(),
    createSoftHsm(),
    startSwtpm(),
  ])
  launcher = await startLauncher({ issuer })
  made = await makeBroker(folder, { issuer })
  await folder.write('entra-ca.pem', entra.caPem)
  await folder.write('secret', SECRET)
  await makeSoftware()
  await makeInSoftHsm()
  await makeInTpm()
  const federated = await makeFederated()
  entra.addApplication({
    tenantId: TENANT,
    clientId: CLIENT,
    secrets: [{ value: SECRET }],
    certificates,
    federatedCredentials: [{ ...FEDERATED, jwks: { keys: [federated] } }],
  })
}, 120_000)
afterAll(async () => {
  await Promise.all([launcher?.close(), issuer?.close(), entra?.close(), softHsm?.remove(), swtpm?.stop()])
  await folder?.remove()
})
afterEach(() => {
  entra.calls.length = 0
})

/** `app.pem`, `app.key`, `both.pem`; `app.pfx` with its password. */
async function makeSoftware(): Promise<void> {
  const { certPem, keyPem } = await made.pki.issue({ commonName: 'app', keyType: 'RSA-2048' })
  certificates.push(certPem)
  await folder.write('app.pem', certPem)
  await folder.write('app.key', keyPem)
  await folder.write('both.pem', keyPem + certPem)
  await folder.write('pfx-password', 'pfx canary')
  const [cert, key, pfx] = ['app.pem', 'app.key', 'app.pfx'].map((name) => `${folder.path}/${name}`)
  await run('openssl', ['pkcs12', '-export', '-in', cert!, '-inkey', key!, '-out', pfx!, '-passout', 'pass:pfx canary'])
  await run('chmod', ['600', pfx!])
  await folder.write('two-lines', 'canary\ncanary\n')
  await folder.write('no-pem', 'canary')
  await folder.write('open.key', keyPem, 0o640)
  const [notBefore, notAfter] = [new Date('2020-01-01T00:00:00Z'), new Date('2020-01-02T00:00:00Z')]
  const past = await made.pki.issue({ commonName: 'past', keyType: 'RSA-2048', notBefore, notAfter })
  await folder.write('past.pem', past.certPem)
  await folder.write('past.key', past.keyPem)
  await run('mkfifo', ['-m', '600', join(folder.path, 'fifo')])
}

/** A key and its certificate, both in the token under the id 02. */
async function makeInSoftHsm(): Promise<void> {
  const { certPem, keyPem } = await made.pki.issue({ commonName: 'in an HSM', keyType: 'RSA-2048' })
  certificates.push(certPem)
  const [cert, key] = [await folder.write('hsm.pem', certPem), await folder.write('hsm.key', keyPem)]
  await run('openssl', ['x509', '-in', cert, '-outform', 'DER', '-out', `${cert}.der`])
  await run('openssl', ['pkey', '-in', key, '-outform', 'DER', '-out', `${key}.der`])
  const named = ['--id', '02', '--label', 'azure']
  await softHsm.tool('--write-object', `${key}.der`, '--type', 'privkey', '--usage-sign', '--sensitive', ...named)
  await softHsm.tool('--write-object', `${cert}.der`, '--type', 'cert', ...named)
}

/** A key that OpenSSL's TPM provider made, as a TSS2 PRIVATE KEY, and its certificate. */
async function makeInTpm(): Promise<void> {
  const env = { ...process.env, TPM2OPENSSL_TCTI: swtpm.tpm2ToolsTcti }
  const openssl = (...args: string[]) =>
    run('openssl', [...args, '-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2'], {
      env,
      cwd: folder.path,
    })
  await openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'bits:2048', '-out', 'tpm.key')
  await openssl('req', '-x509', '-new', '-key', 'tpm.key', '-days', '30', '-subj', '/CN=in a TPM', '-out', 'tpm.pem')
  certificates.push(await readFile(join(folder.path, 'tpm.pem'), 'utf8'))
}

/** A key in the TPM whose scheme is RSASSA, and its certificate. */
async function makeForRs256(): Promise<void> {
  const env = { ...process.env, TPM2TOOLS_TCTI: swtpm.tpm2ToolsTcti, TPM2OPENSSL_TCTI: swtpm.tpm2ToolsTcti }
  const options = { env, cwd: folder.path }
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
  const kind = 'rsa2048:rsassa-sha256:null'
  await run('tpm2_createprimary', ['-Q', '-C', 'o', '-G', kind, '-a', attributes, '-c', 'key.ctx'], options)
  await run('tpm2_evictcontrol', ['-Q', '-C', 'o', '-c', 'key.ctx', '0x81010002'], options)
  await run('tpm2_flushcontext', ['-t'], options)
  const provider = ['-provider', 'tpm2', '-provider', 'default', '-propquery', '?provider=tpm2']
  const subject = ['-subj', '/CN=RS256', '-days', '30', '-out', 'rs256.pem']
  await run('openssl', ['req', '-x509', '-new', '-key', 'handle:0x81010002', ...subject, ...provider], options)
}

/** `federated`: a JWT of another issuer. */
async function makeFederated(): Promise<JsonWebKey> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: FEDERATED.issuer,
    sub: FEDERATED.subject,
    aud: FEDERATED.audience,
    iat: now,
    nbf: now,
    exp: now + 600,
  }
  const message = `${encode({ alg: 'RS256', typ: 'JWT', kid: 'k1' })}.${encode(claims)}`
  await folder.write(
    'federated',
    `${message}.${sign('sha256', Buffer.from(message), privateKey).toString('base64url')}\n`,
  )
  return { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256' } as JsonWebKey
}

const inSoftHsm = () => ({
  pkcs11: {
    uri: `pkcs11:token=${softHsm.tokenLabel};object=azure;type=private?module-path=${softHsm.modulePath}`,
    pin_file: softHsm.pinFile,
    allow_modules: [softHsm.modulePath],
  },
})
const inTpm = () => ({
  certificate_file: 'tpm.pem',
  tpm: { device: swtpm.address, key_file: 'tpm.key' },
  algorithm: 'RS256',
})

function configure(credential: object, more: object = {}) {
  const application = { tenant_id: TENANT, client_id: CLIENT, authority_host: entra.authorityHost, credential, ...more }
  const { aws: _, ...config } = made.config
  const azure = { applications: [application], ca_file: 'entra-ca.pem' }
  return folder.write('broker.yaml', JSON.stringify({ ...config, azure, policy: POLICY, go_v1: {} }))
}

async function withBroker<T>(config: string, use: (flags: string[]) => Promise<T>): Promise<T> {
  const broker = await runBroker(config, { PATH: process.env.PATH ?? '', ...softHsm.env })
  try {
    const trust = ['--audience', AUDIENCE, '--ca', made.caFile, '--socket', launcher.socketPath]
    return await use(['azure', 'ekm', '--broker', broker.url, ...trust])
  } finally {
    await broker.stop()
    expect(broker.logs()).not.toMatch(/canary|eyJ/)
  }
}

describe('hardbound azure ekm', () => {
  it('prints one line of JSON, the token, and nothing else', async () => {
    await withBroker(await configure({ client_secret_file: 'secret' }), async (command) => {
      const { code, stdout, stderr } = await hardbound([...command, '--scope', SCOPE])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^\{[^\n]+\}\n$/)
      const { access_token, ...rest } = JSON.parse(stdout) as Record<string, unknown>
      expect(rest).toEqual({ token_type: 'Bearer', expires_on: expect.any(Number) })
      expect(rest.expires_on).toBeGreaterThan(Date.now() / 1000)
      expect(entra.tokenFor(String(access_token))).toMatchObject({ tid: TENANT, appid: CLIENT })
    })
  })

  it('P22 P23 C14 says what was refused, in one line', async () => {
    await withBroker(await configure({ client_secret_file: 'secret' }), async (command) => {
      const refused = (...args: string[]) => hardbound([...command, ...args])
      for (const args of [
        ['--scope', 'https://graph.microsoft.com/.default'],
        ['--scope', SCOPE, '--tenant-id', CLIENT],
        ['--scope', SCOPE, '--client-id', TENANT],
      ]) {
        const { code, stdout, stderr } = await refused(...args)
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
        expect(stderr).toMatch(/^hardbound azure ekm: .*403 policy_denied.*\[ERR_EKM_BROKER_REFUSED\]\n$/)
      }
      expect(entra.calls).toEqual([])
      const named = await refused('--scope', SCOPE, '--tenant-id', TENANT, '--client-id', CLIENT)
      expect(named.code).toBe(0)
    })
  })

  it('is served to programs that know managed identity, as hardbound serve azure-ekm', async () => {
    await withBroker(await configure({ client_secret_file: 'secret' }), async ([, , ...flags]) => {
      const file = join(folder.path, 'azure.env')
      const mine = [
        '--listen',
        '127.0.0.1:0',
        '--environment-file',
        file,
        '--allow-resource',
        'https://storage.azure.com',
      ]
      const child = spawn(process.execPath, [COMMAND, 'serve', 'azure-ekm', ...flags, ...mine], {
        env: ENV,
        stdio: 'pipe',
      })
      try {
        await new Promise<void>((resolve, reject) => {
          child.stderr.on('data', (chunk: Buffer) => chunk.includes('"listening"') && resolve())
          child.once('close', () => reject(new Error('it did not start')))
        })
        const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
        const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<string, string>
        expect(Object.keys(env).sort()).toEqual(['IDENTITY_ENDPOINT', 'IDENTITY_HEADER', 'MSI_ENDPOINT', 'MSI_SECRET'])
        const ask = (resource: string) =>
          fetch(`${env.IDENTITY_ENDPOINT}?api-version=2019-08-01&resource=${encodeURIComponent(resource)}`, {
            headers: { 'x-identity-header': env.IDENTITY_HEADER ?? '' },
          })
        const { access_token } = (await (await ask('https://storage.azure.com')).json()) as { access_token: string }
        expect(entra.tokenFor(access_token)).toMatchObject({ tid: TENANT, appid: CLIENT })
        expect((await ask('https://graph.microsoft.com')).status).toBe(403)
      } finally {
        child.kill('SIGTERM')
        await once(child, 'close')
      }
    })
  })

  it('speaks Go-v1 too', async () => {
    await withBroker(await configure({ client_secret_file: 'secret' }), async (command) => {
      const args = ['--scope', SCOPE, '--protocol', 'go-v1', '--tenant-id', TENANT, '--client-id', CLIENT]
      const { code, stdout } = await hardbound([...command, ...args])
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ token_type: 'Bearer', expires_on: expect.any(Number) })
    })
  })

  it.each([
    [[], '--broker is required'],
    [['--broker', 'https://broker.example.com'], '--audience is required'],
    [['--broker', 'https://broker.example.com', '--audience', 'x', '--ca', '/nowhere'], "--ca: /nowhere can't be read"],
    [['--nonsense'], 'unknown flag --nonsense'],
  ])('says how it was used wrongly: %j', async (args, problem) => {
    const { code, stdout, stderr } = await hardbound(['azure', 'ekm', '--scope', SCOPE, ...args])
    expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: '' })
    expect(stderr).toContain(problem)
  })

  it.each(['', 'a b', 'https://storage.azure.com'])('says that %j is no scope', async (scope) => {
    const flags = ['--broker', 'https://broker.example.com', '--audience', AUDIENCE, '--ca', made.caFile]
    const { code, stdout, stderr } = await hardbound(['azure', 'ekm', ...flags, '--scope', scope])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^hardbound azure ekm: --scope: [^\n]*\/\.default[^\n]*\n$/)
  })

  it('wants a scope', async () => {
    expect(await hardbound(['azure', 'ekm'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--scope') })
  })

  it('has help, and is listed', async () => {
    expect((await hardbound(['azure', 'ekm', '--help'])).stdout).toContain('Usage: hardbound azure ekm')
    expect((await hardbound(['azure', '--help'])).stdout).toContain('ekm')
  })
})

describe("a broker's Azure application", () => {
  it.each<[string, () => object, string, string | undefined]>([
    ['a secret', () => ({ client_secret_file: 'secret' }), 'secret', undefined],
    ['a federated token', () => ({ federated_token_file: 'federated' }), 'federated', 'RS256'],
    [
      'a certificate in PEM',
      () => ({ certificate: { certificate_file: 'app.pem', key_file: 'app.key' } }),
      'certificate',
      'PS256',
    ],
    [
      'both in one file',
      () => ({ certificate: { certificate_file: 'both.pem', key_file: 'both.pem' } }),
      'certificate',
      'PS256',
    ],
    [
      'PKCS #12',
      () => ({ certificate: { pfx_file: 'app.pfx', password_file: 'pfx-password' } }),
      'certificate',
      'PS256',
    ],
    ['a key and certificate in SoftHSM', () => ({ certificate: inSoftHsm() }), 'certificate', 'PS256'],
    ['a key in a TPM', () => ({ certificate: inTpm() }), 'certificate', 'RS256'],
  ])(
    'shows Entra %s',
    async (_name, credential, method, alg) => {
      const config = await configure(credential())
      expect(await hardbound(['broker', 'check', '-c', config], { env: softHsm.env })).toMatchObject({ code: 0 })
      await withBroker(config, async (command) => {
        expect(await hardbound([...command, '--scope', SCOPE])).toMatchObject({ code: 0, stderr: '' })
        expect(entra.calls).toMatchObject([{ method, ...(alg === undefined ? {} : { alg }) }])
      })
    },
    30_000,
  )

  it('P23 R10 broker check says that an application is there twice', async () => {
    const config = await configure({ client_secret_file: 'secret' })
    const { azure, ...rest } = JSON.parse(await readFile(config, 'utf8'))
    const twice = { ...rest, azure: { ...azure, applications: [...azure.applications, ...azure.applications] } }
    const { code, stderr } = await hardbound([
      'broker',
      'check',
      '-c',
      await folder.write('broker.yaml', JSON.stringify(twice)),
    ])
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('azure.applications[1].client_id: is there twice for this tenant'),
    })
  })

  const certificate = (it: object) => ({ certificate: it })
  const at = 'azure.applications[0]'
  it.each<[string, object, object, string]>([
    [`${at}.credential`, {}, {}, 'needs one of'],
    [`${at}.credential`, { client_secret_file: 'secret', federated_token_file: 'federated' }, {}, 'needs one of'],
    [`${at}.credential.client_secret_file`, { client_secret_file: 'nowhere' }, {}, 'ENOENT'],
    [`${at}.credential.federated_token_file`, { federated_token_file: 'nowhere' }, {}, 'ENOENT'],
    [`${at}.credential.federated_token_file`, { federated_token_file: 'fifo' }, {}, 'not a regular file'],
    [`${at}.credential.client_secret_file`, { client_secret_file: 'two-lines' }, {}, 'is not one line'],
    [
      `${at}.authority_host`,
      { client_secret_file: 'secret' },
      { authority_host: 'https://x:99999' },
      'must be an https: URL',
    ],
    [
      `${at}.authority_host`,
      { client_secret_file: 'secret' },
      { authority_host: 'https://a\\b' },
      'must be an https: URL',
    ],
    [`${at}.tenant_id`, { client_secret_file: 'secret' }, { tenant_id: 'common' }, 'must be a GUID'],
    [`${at}.authority_host`, { client_secret_file: 'secret' }, { authority_host: 'http://x' }, 'must be an https: URL'],
    [`${at}.authority_host`, { client_secret_file: 'secret' }, { cloud: 'china' }, 'does not go with cloud'],
    [`${at}.credential.certificate`, certificate({ certificate_file: 'app.pem' }), {}, 'needs one of key_file'],
    [
      `${at}.credential.certificate`,
      certificate({ certificate_file: 'past.pem', key_file: 'past.key' }),
      {},
      'expired at 2020-01-02T00:00:00.000Z',
    ],
    [
      `${at}.credential.certificate`,
      certificate({ certificate_file: 'past.pem', pkcs11: { uri: 'pkcs11:object=x' } }),
      {},
      'expired at 2020-01-02T00:00:00.000Z',
    ],
    [
      `${at}.credential.certificate.certificate_file`,
      certificate({ certificate_file: 'app.pem', pfx_file: 'app.pfx', password_file: 'pfx-password' }),
      {},
      'does not go with pfx_file',
    ],
    [
      `${at}.credential.certificate.certificate_file`,
      certificate({ tpm: { device: '/dev/tpmrm0', handle: '0x81000001' } }),
      {},
      'is needed beside tpm',
    ],
    [`${at}.credential.certificate.certificate_file`, certificate({ key_file: 'app.key' }), {}, 'is needed beside key'],
    [
      `${at}.credential.certificate.passphrase_file`,
      certificate({ pfx_file: 'app.pfx', password_file: 'pfx-password', passphrase_file: 'secret' }),
      {},
      'goes with key_file',
    ],
    [
      'policy: rules[0].grant.azure',
      { client_secret_file: 'secret' },
      { tenant_id: CLIENT },
      'no entry of azure.applications',
    ],
    [
      `${at}.credential.certificate`,
      certificate({ certificate_file: 'hsm.pem', key_file: 'app.key' }),
      {},
      'ERR_AZURE_CREDENTIAL_KEY',
    ],
    [`${at}.credential.certificate`, certificate({ certificate_file: 'app.pem', key_file: 'nowhere' }), {}, 'ENOENT'],
    [
      `${at}.credential.certificate`,
      certificate({ certificate_file: 'nowhere', key_file: 'app.key' }),
      {},
      'does not exist',
    ],
    [`${at}.credential.certificate`, certificate({ certificate_file: 'app.pem', key_file: 'fifo' }), {}, 'key_file: '],
    [
      `${at}.credential.certificate`,
      certificate({ pfx_file: 'fifo', password_file: 'pfx-password' }),
      {},
      'not a regular file',
    ],
    [
      `${at}.credential.certificate`,
      certificate({ certificate_file: 'app.pem', key_file: 'open.key' }),
      {},
      'is open to others',
    ],
    [
      `${at}.credential.certificate`,
      certificate({ pfx_file: 'app.pfx', password_file: 'secret' }),
      {},
      'ERR_AZURE_CREDENTIAL_PASSWORD',
    ],
    [`${at}.credential.certificate.password_file`, certificate({ pfx_file: 'app.pfx' }), {}, 'goes with pfx_file'],
    [
      `${at}.credential.certificate.tpm.key_file`,
      certificate({ certificate_file: 'tpm.pem', tpm: { device: '/dev/tpmrm0', key_file: 'app.key' } }),
      {},
      'no TSS2 PRIVATE KEY',
    ],
    [
      `${at}.credential.certificate.pkcs11.uri`,
      certificate({ pkcs11: { uri: 'pkcs11:object=x?pin-value=1234' } }),
      {},
      'must not hold the PIN',
    ],
    [
      'policy: rules[0].grant.azure',
      { client_secret_file: 'secret' },
      { client_id: TENANT },
      'no entry of azure.applications',
    ],
  ])('P23 R10 broker check says what is wrong with %s: %j', async (key, credential, more, problem) => {
    const { code, stderr } = await hardbound(['broker', 'check', '-c', await configure(credential, more)])
    expect(code).toBe(1)
    expect(stderr).toContain(key)
    expect(stderr).toContain(problem)
    expect(stderr).not.toMatch(/canary|1234/)
  })

  it('R10 broker check says that azure.ca_file holds no certificate', async () => {
    const config = await configure({ client_secret_file: 'secret' })
    const { azure, ...rest } = JSON.parse(await readFile(config, 'utf8'))
    const text = JSON.stringify({ ...rest, azure: { ...azure, ca_file: 'no-pem' } })
    const { code, stderr } = await hardbound(['broker', 'check', '-c', await folder.write('broker.yaml', text)])
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('azure.ca_file: holds no certificate'),
    })
  })

  it("M15 does not start with another key than the certificate's, or one that can not sign so", async () => {
    const starts = async (credential: object) => withBroker(await configure(credential), async () => {})
    const other = { certificate: { ...inSoftHsm(), certificate_file: 'app.pem' } }
    await expect(starts(other)).rejects.toThrow(/azure\.applications\[0\]\.credential: .*ERR_AZURE_CREDENTIAL_KEY/)
    await makeForRs256()
    const pss = { certificate: { certificate_file: 'rs256.pem', tpm: { device: swtpm.address, handle: '0x81010002' } } }
    await expect(starts(pss)).rejects.toThrow(/azure\.applications\[0\]\.credential: .*ERR_TPM_SCHEME/)
  })

  it('M01 does not start without its key', async () => {
    const config = await configure({ certificate: { ...inTpm(), tpm: { device: '/dev/null', key_file: 'tpm.key' } } })
    await expect(withBroker(config, async () => {})).rejects.toThrow(/azure\.applications\[0\].*ERR_TPM_/)
  })
})
