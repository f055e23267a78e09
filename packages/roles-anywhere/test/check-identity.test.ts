import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import { startRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { checkIdentity, type IdentityChecks } from '../src/check-identity.ts'
import { createSession } from '../src/create-session.ts'
import type { X509Identity } from '../src/types.ts'
import type { RolesAnywhereWarning } from '../src/warning.ts'
import { ANCHOR, PROFILE, ROLE, rejection } from './harness.ts'
import { createLab, der, type Lab, withKey } from './identity/lab.ts'

const DAY_MS = 86_400_000

let lab: Lab
let leaf: Buffer
let intermediate: Buffer
let root: Buffer
beforeAll(async () => {
  lab = await createLab()
  await lab.leaf('leaf')
  ;[leaf, intermediate, root] = (await Promise.all(['leaf', 'intermediate', 'root'].map(certificate))) as [
    Buffer,
    Buffer,
    Buffer,
  ]
})
afterAll(() => lab.remove())

const certificate = async (name: string): Promise<Buffer> => new X509Certificate(await lab.text(`${name}.crt`)).raw
const identity = (chain: Uint8Array[]): X509Identity => ({
  certificate: leaf,
  chain,
  keyType: 'ec',
  sign: async () => new Uint8Array(),
})

async function check(of: X509Identity, nowMs = Date.now(), options: IdentityChecks = {}) {
  const warnings: RolesAnywhereWarning[] = []
  const checked = await checkIdentity(of, { nowMs, onWarning: (it) => void warnings.push(it) }, options)
  return { checked, warnings: warnings.map(({ code }) => code) }
}

describe('checkIdentity', () => {
  it('S11: puts the chain in order, and leaves out the leaf, the root and what is there twice', async () => {
    const { checked, warnings } = await check(identity([root, leaf, intermediate, intermediate]))
    expect(checked.chain).toEqual([intermediate])
    expect(warnings).toEqual([])
  })

  it('S11: does not send what did not issue the certificate, and says so', async () => {
    const stranger = await createLab()
    const other = new X509Certificate(await stranger.text('intermediate.crt')).raw
    await stranger.remove()
    const { checked, warnings } = await check(identity([other]))
    expect(checked.chain).toEqual([])
    expect(warnings).toEqual(['WARN_RA_CHAIN'])
  })

  it('warns before the end: a week, or a fifth of the lifetime, or as told', async () => {
    const notAfter = Date.parse(new X509Certificate(leaf).validTo) // in 30 days
    expect((await check(identity([]), notAfter - 7 * DAY_MS)).warnings).toEqual([])
    expect((await check(identity([]), notAfter - 5 * DAY_MS)).warnings).toEqual(['WARN_RA_EXPIRES_SOON'])
    const options = { warnBeforeExpirySeconds: 20 * 86_400 }
    expect((await check(identity([]), notAfter - 19 * DAY_MS, options)).warnings).toEqual(['WARN_RA_EXPIRES_SOON'])
  })

  it('warns instead of refusing where it was told so', async () => {
    const late = Date.now() + 365 * DAY_MS
    expect(await rejection(check(identity([]), late))).toMatchObject({ code: 'ERR_RA_EXPIRED' })
    expect((await check(identity([]), late, { certificateRules: 'warn' })).warnings).toEqual(['WARN_RA_CERTIFICATE'])
  })
})

describe('createSession with a chain', () => {
  it('leads from the leaf to a root that is the trust anchor', async () => {
    const service = await startRolesAnywhere()
    service.addTrustAnchor({ arn: ANCHOR, caPem: await lab.text('root.crt') })
    service.addProfile({ arn: PROFILE, roleArns: [ROLE] })
    const key = await lab.text('leaf.key')
    const signing: X509Identity = { ...identity([root, intermediate]), sign: async (it, hash) => sign(hash, it, key) }
    const source = { name: 'test', current: async () => signing, close: async () => {} }
    const arns = { trustAnchorArn: ANCHOR, profileArn: PROFILE, roleArn: ROLE, endpoint: service.endpoint }
    try {
      await createSession({ ...arns, identity: source })
      expect(service.calls).toMatchObject([{ chainLength: 1 }])
    } finally {
      await service.close()
    }
  })

  it.each([
    [44, '11'],
    [65, '12'],
    [87, '13'],
  ] as const)('S01: works with ML-DSA-%d', async (set, arc) => {
    const { [`ml_dsa${set}` as const]: mlDsa } = await import('@noble/post-quantum/ml-dsa.js')
    const { publicKey, secretKey } = mlDsa.keygen(Buffer.alloc(32, 7))
    const oid = der(0x30, der(0x06, Buffer.from(`6086480165030403${arc}`, 'hex')))
    const spki = der(0x30, oid, der(0x03, Buffer.of(0), publicKey))
    const mlLeaf = withKey(leaf, spki, await lab.text('intermediate.key'))
    const signing: X509Identity = {
      certificate: mlLeaf,
      chain: [intermediate],
      keyType: 'ml-dsa',
      sign: async (message) => mlDsa.sign(message, secretKey, { extraEntropy: false }),
    }
    const service = await startRolesAnywhere()
    service.addTrustAnchor({ arn: ANCHOR, caPem: await lab.text('root.crt') })
    service.addProfile({ arn: PROFILE, roleArns: [ROLE] })
    const source = { name: 'test', current: async () => signing, close: async () => {} }
    const arns = { trustAnchorArn: ANCHOR, profileArn: PROFILE, roleArn: ROLE, endpoint: service.endpoint }
    try {
      await createSession({ ...arns, identity: source })
      expect(service.calls).toMatchObject([{ algorithm: 'AWS4-X509-MLDSA', chainLength: 1 }])
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const wrong = {
        ...source,
        current: async () => ({ ...signing, sign: async (it: Uint8Array) => sign('sha256', it, privateKey) }),
      }
      const error = await rejection(createSession({ ...arns, identity: wrong }))
      expect(error).toMatchObject({ code: 'ERR_RA_MISMATCH' })
    } finally {
      await service.close()
    }
  })
})
