import { execFile } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openPkcs11SigningKey, type Pkcs11SigningKey } from '@hardbound/pkcs11/signing-key'
import { startEntra, type TestEntra } from '@hardbound/testkit/azure'
import { createSoftHsm, startSwtpm, type TestSoftHsm, type TestSwtpm } from '@hardbound/testkit/hardware'
import { openTpmSigningKey, type TpmSigningKey } from '@hardbound/tpm2/signing-key'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  type AzureCertificateCredential,
  type AzureClientCredential,
  type AzureGrant,
  createAzureIssuer,
} from '../src/index.ts'
import { CLIENT, SCOPE, TENANT } from './fake-entra.ts'

const GRANT: AzureGrant = { target: 'azure', tenantId: TENANT, clientId: CLIENT, scope: SCOPE }
const run = promisify(execFile)

let folder: string
let entra: TestEntra
const at = (name: string) => join(folder, name)

/** A certificate for any RSA public key: what an operator has made from the public half. */
async function certificateFor(publicKey: KeyObject): Promise<string> {
  const issuer = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  await writeFile(at('issuer.pem'), issuer.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(at('public.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
  const names = ['-new', '-subj', '/CN=broker', '-days', '30', '-force_pubkey', at('public.pem')]
  await run('openssl', ['x509', ...names, '-signkey', at('issuer.pem'), '-out', at('cert.pem')])
  return await readFile(at('cert.pem'), 'utf8')
}

const register = (certificate: string) =>
  entra.addApplication({ tenantId: TENANT, clientId: CLIENT, certificates: [certificate] })

async function issue(credential: AzureClientCredential) {
  const applications = [{ tenantId: TENANT, clientId: CLIENT, authorityHost: entra.authorityHost, credential }]
  const issuer = createAzureIssuer({ applications, ca: entra.caPem })
  try {
    return await issuer.issue(GRANT, { requestId: 'req-1', signal: new AbortController().signal })
  } finally {
    issuer.close()
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'azure-hardware-'))
  entra = await startEntra()
  entra.refuseReplays = true
})
beforeEach(() => {
  entra.calls.length = 0
})
afterAll(async () => {
  await entra?.close()
  await rm(folder, { recursive: true, force: true })
})

describe('an Azure issuer whose certificate key is in a PKCS #11 token', () => {
  let softHsm: TestSoftHsm
  let key: Pkcs11SigningKey
  const open = () => openPkcs11SigningKey({ uri: softHsm.uri('azure'), reconnectDelayMs: 0 })

  beforeAll(async () => {
    softHsm = await createSoftHsm()
    await softHsm.tool('--keypairgen', '--key-type', 'rsa:2048', '--id', '01', '--label', 'azure', '--usage-sign')
    softHsm.activate()
    key = await open()
    register(await certificateFor(key.publicKey))
    await run('openssl', ['x509', '-in', at('cert.pem'), '-outform', 'DER', '-out', at('cert.der')])
    await softHsm.tool('--write-object', at('cert.der'), '--type', 'cert', '--id', '01', '--label', 'azure')
    await key.close()
    key = await open()
  })
  afterAll(async () => {
    await key?.close()
    await softHsm?.remove()
  })

  it.each(['PS256', 'RS256'] as const)('gets a token with the certificate that lies beside it: %s', async (alg) => {
    const { body } = await issue({ kind: 'certificate', certificate: key.certificate!, key, alg })
    expect(entra.tokenFor(String(body.access_token))).toMatchObject({ appid: CLIENT, appidacr: '2' })
    expect(entra.calls).toMatchObject([{ method: 'certificate', alg }])
  })

  it('says that the token is gone, and goes on when it is back', async () => {
    const credential: AzureClientCredential = { kind: 'certificate', certificate: key.certificate!, key }
    await softHsm.removeToken()
    try {
      await expect(issue(credential)).rejects.toMatchObject({
        code: 'signer_unavailable',
        reason: expect.stringMatching(/^signer\.pkcs11_[a-z_]+$/),
      })
      expect(entra.calls).toEqual([])
    } finally {
      await softHsm.restoreToken()
    }
    await issue(credential)
  })
})

describe('an Azure issuer whose certificate key is in a TPM', () => {
  const KINDS = { rsa2048: 0x81010001, 'rsa2048:rsassa-sha256:null': 0x81010002, ecc256: 0x81010003 }
  let swtpm: TestSwtpm
  let key: TpmSigningKey | undefined

  beforeAll(async () => {
    swtpm = await startSwtpm()
    const env = { ...process.env, TPM2TOOLS_TCTI: swtpm.tpm2ToolsTcti }
    const sign = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
    for (const [kind, handle] of Object.entries(KINDS)) {
      const options = { env, cwd: folder }
      await run('tpm2_createprimary', ['-Q', '-C', 'o', '-G', kind, '-a', sign, '-c', 'key.ctx'], options)
      await run('tpm2_evictcontrol', ['-Q', '-C', 'o', '-c', 'key.ctx', String(handle)], options)
      await run('tpm2_flushcontext', ['-t'], options)
    }
  })
  afterEach(() => key?.close()) // a software TPM serves one connection at a time
  afterAll(() => swtpm?.stop())

  async function open(kind: keyof typeof KINDS): Promise<AzureCertificateCredential> {
    key = await openTpmSigningKey({ tpm: swtpm.address, key: { handle: KINDS[kind] } })
    const certificate = await certificateFor(key.publicKey)
    if (kind !== 'ecc256') register(certificate)
    return { kind: 'certificate', certificate, key }
  }

  it('gets a token: PS256', async () => {
    const { body } = await issue(await open('rsa2048'))
    expect(entra.tokenFor(String(body.access_token))).toMatchObject({ appid: CLIENT, appidacr: '2' })
    expect(entra.calls).toMatchObject([{ method: 'certificate', alg: 'PS256' }])
  })

  it('gets one by RS256 from a key that does nothing else, and says so of PS256', async () => {
    const credential = await open('rsa2048:rsassa-sha256:null')
    await expect(issue(credential)).rejects.toMatchObject({ code: 'signer_unavailable', reason: 'signer.tpm_scheme' })
    await issue({ ...credential, alg: 'RS256' })
    expect(entra.calls).toMatchObject([{ method: 'certificate', alg: 'RS256' }])
  })

  it('says when it is made that Entra takes no EC key', async () => {
    await expect(issue(await open('ecc256'))).rejects.toThrow('RSA keys only, and this one is ec')
  })
})
