import { execFile } from 'node:child_process'
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { chmod, chown, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { createTestPki, type IssuedCertificate } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { clientCertificate } from '../src/azure-client-certificate.ts'
import { AzureCredentialError } from '../src/azure-credential-error.ts'
import { clientSecretFile, federatedTokenFile } from '../src/azure-credentials.ts'
import { signClientAssertion } from '../src/client-assertion.ts'
import { openPkcs12 } from '../src/internal/pkcs12.ts'

const run = promisify(execFile)
/** PKCS #8 of an EC key on P-256 with a scalar of 40 octets. */
const OVERLONG = `-----BEGIN PRIVATE KEY-----
${Buffer.from(`3049020100301306072a8648ce3d020106082a8648ce3d030107042f302d0201010428${'11'.repeat(40)}`, 'hex').toString('base64')}
-----END PRIVATE KEY-----
`
const PASSWORD = 'CANARY pass-word'

let folder: string
const at = (name: string) => join(folder, name)
let identity: IssuedCertificate
let other: IssuedCertificate
let ec: IssuedCertificate
let weak: IssuedCertificate
let caPem: string
const der = (pem: string) => new X509Certificate(pem).raw

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'azure-credentials-'))
  const pki = await createTestPki()
  caPem = pki.caPem
  const issue = (commonName: string, keyType: 'RSA-2048' | 'RSA-1024' | 'P-256') =>
    pki.issue({ commonName, usage: 'client', keyType })
  identity = await issue('broker', 'RSA-2048')
  other = await issue('other', 'RSA-2048')
  ec = await issue('ec', 'P-256')
  weak = await issue('weak', 'RSA-1024')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const fails = async (work: () => unknown, code: string, message?: RegExp): Promise<void> => {
  const error = await Promise.resolve()
    .then(work)
    .then(
      () => undefined,
      (cause: unknown) => cause,
    )
  expect(error).toBeInstanceOf(AzureCredentialError)
  expect(error).toMatchObject({ code })
  expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/CANARY|PRIVATE/)
  if (message !== undefined) expect((error as Error).message).toMatch(message)
}

describe('clientSecretFile and federatedTokenFile', () => {
  const file = async (name: string, text: string | Uint8Array, mode = 0o600) => {
    await writeFile(at(name), text)
    await chmod(at(name), mode)
    return at(name)
  }

  it('reads one line, anew each time', async () => {
    const { kind, secret } = clientSecretFile(await file('secret', 'first~.Q\n'))
    expect([kind, await secret()]).toEqual(['secret', 'first~.Q'])
    await file('secret', 'second\r\n')
    expect(await secret()).toBe('second')
    const federated = federatedTokenFile(await file('token', 'a.b.c', 0o644))
    expect([federated.kind, await federated.assertion()]).toEqual(['federated', 'a.b.c'])
  })

  it('follows links, as Kubernetes mounts them', async () => {
    await symlink(await file('..data', 'secret'), at('link'))
    expect(await clientSecretFile(at('link')).secret()).toBe('secret')
  })

  it('takes 16384 octets', async () => {
    expect(await clientSecretFile(await file('long', 'x'.repeat(16_384))).secret()).toHaveLength(16_384)
    await fails(
      clientSecretFile(await file('long', 'x'.repeat(16_385))).secret,
      'ERR_AZURE_CREDENTIAL_FILE',
      /more than/,
    )
  })

  it.each([0o640, 0o604, 0o620, 0o602, 0o644])('refuses a secret with mode %o', async (mode) => {
    await fails(clientSecretFile(await file('open', 'CANARY', mode)).secret, 'ERR_AZURE_CREDENTIAL_FILE', /chmod 600/)
  })

  it("takes root's file, whoever we are", async () => {
    const root = process.getuid!() === 0
    const path = await file('of root', 'CANARY')
    const getuid = jest.spyOn(process, 'getuid').mockReturnValue(4712)
    try {
      if (root) expect(await clientSecretFile(path).secret()).toBe('CANARY')
      else await fails(clientSecretFile(path).secret, 'ERR_AZURE_CREDENTIAL_FILE', /another user/)
    } finally {
      getuid.mockRestore()
    }
  })

  it("refuses another user's file", async () => {
    const path = await file('theirs', 'CANARY')
    const root = process.getuid!() === 0
    if (root) await chown(path, 4711, 4711)
    const getuid = jest.spyOn(process, 'getuid').mockReturnValue(root ? 0 : 4712)
    try {
      await fails(clientSecretFile(path).secret, 'ERR_AZURE_CREDENTIAL_FILE', /another user/)
      expect(await federatedTokenFile(path).assertion()).toBe('CANARY')
    } finally {
      getuid.mockRestore()
    }
  })

  it.each([
    ['nothing', ''],
    ['a line end', '\n'],
    ['two lines', 'CANARY\nCANARY\n'],
    ['two line ends', 'CANARY\n\n'],
    ['a space', 'CANARY CANARY'],
    ['NUL', 'CANARY\0'],
    ['what is not ASCII', 'CANARYé'],
  ])('refuses %s', async (_what, text) => {
    await fails(clientSecretFile(await file('odd', text)).secret, 'ERR_AZURE_CREDENTIAL_FILE', /one line/)
    await fails(federatedTokenFile(at('odd')).assertion, 'ERR_AZURE_CREDENTIAL_FILE', /one line/)
  })

  it('refuses what is no file', async () => {
    await fails(clientSecretFile(at('missing')).secret, 'ERR_AZURE_CREDENTIAL_FILE', /ENOENT/)
    await fails(clientSecretFile(folder).secret, 'ERR_AZURE_CREDENTIAL_FILE', /not a regular file/)
    await fails(federatedTokenFile('/dev/null').assertion, 'ERR_AZURE_CREDENTIAL_FILE', /not a regular file/)
    await run('mkfifo', ['-m', '600', at('fifo')])
    await fails(clientSecretFile(at('fifo')).secret, 'ERR_AZURE_CREDENTIAL_FILE', /not a regular file/)
  })
})

describe('clientCertificate from PEM', () => {
  const encrypted = (type: 'pkcs8' | 'pkcs1', key = identity.keyPem) =>
    createPrivateKey(key).export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSWORD }) as string

  it.each([
    ['certificate first', () => identity.certPem + identity.keyPem],
    ['key first', () => identity.keyPem + identity.certPem],
    ['among others', () => caPem + other.certPem + identity.certPem + identity.keyPem],
    [
      'PKCS #1',
      () => identity.certPem + (createPrivateKey(identity.keyPem).export({ type: 'pkcs1', format: 'pem' }) as string),
    ],
  ])('reads it: %s', async (_how, pem) => {
    const credential = await clientCertificate({ pem: pem() })
    expect(credential).toMatchObject({ kind: 'certificate', certificate: der(identity.certPem) })
    expect(credential.alg).toBeUndefined()
    await signs(credential)
  })

  it('keeps the algorithm', async () => {
    const credential = await clientCertificate({ pem: identity.keyPem + identity.certPem, alg: 'RS256' })
    expect(credential.alg).toBe('RS256')
    await signs(credential)
  })

  it.each(['pkcs8', 'pkcs1'] as const)('reads an encrypted key: %s', async (type) => {
    const pem = identity.certPem + encrypted(type)
    await signs(await clientCertificate({ pem, passphrase: PASSWORD }))
    await fails(() => clientCertificate({ pem, passphrase: 'CANARY' }), 'ERR_AZURE_CREDENTIAL_PASSWORD', /is wrong/)
    await fails(() => clientCertificate({ pem }), 'ERR_AZURE_CREDENTIAL_PASSWORD', /is needed/)
  })

  it.each([
    ['no key', () => identity.certPem, 'FORMAT', /one private key/],
    ['two keys', () => identity.certPem + identity.keyPem + other.keyPem, 'FORMAT', /one private key/],
    ['no certificate', () => identity.keyPem, 'FORMAT', /no certificate/],
    ['a broken key', () => identity.certPem + identity.keyPem.replace(/\nM/, '\nCANARY'), 'FORMAT', /private key can/],
    [
      'a broken certificate',
      () => identity.certPem.replace(/\nM/, '\nAAAA') + identity.keyPem,
      'FORMAT',
      /a certificate/,
    ],
    [
      "another's certificate",
      () => other.certPem + identity.keyPem,
      'KEY',
      /is not that of the certificate with SHA-1/,
    ],
    ['an EC key', () => ec.certPem + ec.keyPem, 'KEY', /RSA keys only, and this one is ec/],
    [
      'an EC key whose details Node 20 dies of',
      () => ec.certPem + OVERLONG,
      'KEY',
      /RSA keys only, and this one is ec/,
    ],
    ['a short key', () => weak.certPem + weak.keyPem, 'KEY', /1024 bits/],
  ])('refuses %s', async (_what, pem, code, message) => {
    await fails(() => clientCertificate({ pem: pem() }), `ERR_AZURE_CREDENTIAL_${code}`, message)
  })
})

describe('clientCertificate from PKCS #12', () => {
  async function pfx(...options: string[]): Promise<Uint8Array> {
    await writeFile(at('key.pem'), identity.keyPem)
    await writeFile(at('cert.pem'), identity.certPem)
    await writeFile(at('more.pem'), other.certPem + caPem + ec.certPem)
    const args = ['-in', at('cert.pem'), '-inkey', at('key.pem'), '-passout', `pass:${PASSWORD}`, ...options]
    const { stdout } = await run('openssl', ['pkcs12', '-export', ...args], { encoding: 'buffer' })
    return stdout
  }

  it.each([
    ['AES-256', []],
    ['RC2', ['-legacy']],
    ['a chain', ['-certfile', 'more.pem']],
  ])('reads %s', async (_what, options) => {
    const file = await pfx(...options.map((it) => (it === 'more.pem' ? at(it) : it)))
    const credential = await clientCertificate({ pfx: file, password: PASSWORD })
    expect(credential).toMatchObject({ kind: 'certificate', certificate: der(identity.certPem) })
    await signs(credential)
    await fails(() => clientCertificate({ pfx: file, password: 'CANARY' }), 'ERR_AZURE_CREDENTIAL_PASSWORD', /is wrong/)
    await fails(() => clientCertificate({ pfx: file, password: '' }), 'ERR_AZURE_CREDENTIAL_PASSWORD', /is wrong/)
  })

  it('S14: gives up on a file whose password takes for ever to hash', async () => {
    const file = await pfx('-iter', '1000000', '-nomaciter')
    await fails(() => openPkcs12(file, PASSWORD, 200), 'ERR_AZURE_CREDENTIAL_FORMAT', /it takes too long: make it with/)
  })

  it('reads an EC key, and refuses it', async () => {
    await writeFile(at('ec.key'), ec.keyPem)
    await writeFile(at('ec.pem'), ec.certPem)
    const args = ['pkcs12', '-export', '-in', at('ec.pem'), '-inkey', at('ec.key'), '-passout', 'pass:']
    const { stdout } = await run('openssl', args, { encoding: 'buffer' })
    await fails(() => clientCertificate({ pfx: stdout, password: '' }), 'ERR_AZURE_CREDENTIAL_KEY', /is ec/)
    const plain = [...args, '-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac']
    const { stdout: unknownCurve } = await run('openssl', plain, { encoding: 'buffer' })
    const curve = Buffer.from('2a8648ce3d030107', 'hex')
    unknownCurve[unknownCurve.lastIndexOf(curve) + 7] = 0x7f
    unknownCurve[unknownCurve.indexOf(curve) + 7] = 0x7f
    await fails(
      () => clientCertificate({ pfx: unknownCurve, password: '' }),
      'ERR_AZURE_CREDENTIAL_FORMAT',
      /its key or a certificate can not be read/,
    )
  })

  it('refuses what is none, and passwords that forge reads otherwise than OpenSSL', async () => {
    const file = await pfx()
    const broken = Buffer.from(file)
    broken[broken.length >> 1]! ^= 1
    for (const bad of [new Uint8Array(0), Buffer.from('CANARY'), file.subarray(0, -1)]) {
      await fails(() => clientCertificate({ pfx: bad, password: PASSWORD }), 'ERR_AZURE_CREDENTIAL_FORMAT', /PKCS #12/)
    }
    const huge = Buffer.alloc(1_048_577)
    await fails(() => clientCertificate({ pfx: huge, password: '' }), 'ERR_AZURE_CREDENTIAL_FORMAT', /more than/)
    await fails(() => clientCertificate({ pfx: broken, password: PASSWORD }), 'ERR_AZURE_CREDENTIAL_PASSWORD') // its MAC
    await fails(() => clientCertificate({ pfx: file, password: 'CANARYé' }), 'ERR_AZURE_CREDENTIAL_PASSWORD', /ASCII/)
    const noKey = await pfx('-nokeys')
    await fails(
      () => clientCertificate({ pfx: noKey, password: PASSWORD }),
      'ERR_AZURE_CREDENTIAL_FORMAT',
      /one private/,
    )
  })
})

async function signs(credential: Awaited<ReturnType<typeof clientCertificate>>): Promise<void> {
  const publicKey: KeyObject = new X509Certificate(identity.certPem).publicKey
  expect(credential.key.publicKey.equals(publicKey)).toBe(true)
  await signClientAssertion({ ...credential, clientId: 'a', tokenUrl: 'b' }) // which verifies the signature
}
