import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { type AttestationVerifier, createAzureAttestationVerifier } from '../src/index.ts'
import {
  AUDIENCE,
  type Claims,
  changed,
  clock,
  EXPECTED,
  keySet,
  makeKey,
  NONCE,
  NOW,
  refusalOf,
  signToken,
  type TestKey,
} from './helpers.ts'

const ISSUER = 'https://example.eus.attest.azure.net'
const OTHER = 'https://other.weu.attest.azure.net'
const POLICY = createHash('sha256').update('policy').digest('base64url')
const OTHER_POLICY = createHash('sha256').update('other policy').digest('base64url')
let key: TestKey
let otherKey: TestKey
let verifier: AttestationVerifier

beforeAll(() => {
  key = makeKey('azure-1')
  otherKey = makeKey('azure-2')
  verifier = createAzureAttestationVerifier({
    clock,
    instances: [
      { issuer: ISSUER, keys: keySet(key), policyHashes: [POLICY] },
      { issuer: OTHER, keys: keySet(otherKey), policyHashes: [OTHER_POLICY] },
    ],
  })
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const common = () => ({
  iss: ISSUER,
  iat: NOW,
  nbf: NOW,
  exp: NOW + 28_800,
  jti: 'e1f0',
  'x-ms-ver': '1.0',
  'x-ms-policy-hash': POLICY,
  nonce: 'chosen-by-whoever-called-the-service',
})
const snpReport = () => ({
  'x-ms-attestation-type': 'sevsnpvm',
  'x-ms-compliance-status': 'azure-compliant-uvm',
  'x-ms-sevsnpvm-is-debuggable': false,
  'x-ms-sevsnpvm-launchmeasurement': 'AB'.repeat(48),
  'x-ms-sevsnpvm-hostdata': 'cd'.repeat(32),
  'x-ms-sevsnpvm-reportdata': 'ef'.repeat(64),
})
const runtime = () => ({ audience: AUDIENCE, nonce: NONCE, keys: [], 'vm-configuration': { vmUniqueId: 'vm-1' } })

const snp = (changes: Claims = {}) => changed({ ...common(), ...snpReport(), 'x-ms-runtime': runtime() }, changes)
const tdx = (changes: Claims = {}) =>
  changed(
    {
      ...common(),
      'x-ms-attestation-type': 'tdxvm',
      attester_tcb_status: 'UpToDate',
      dbgstat: 'disabled',
      tdx_td_attributes_debug: false,
      tdx_mrtd: 'ab'.repeat(48),
      'x-ms-runtime': runtime(),
    },
    changes,
  )
const vm = (changes: Claims = {}) =>
  changed(
    {
      ...common(),
      'x-ms-attestation-type': 'azurevm',
      secureboot: true,
      'x-ms-azurevm-vmid': 'vm-2',
      'x-ms-runtime': { 'client-payload': { audience: base64(AUDIENCE), nonce: base64(NONCE) } },
      'x-ms-isolation-tee': { ...snpReport(), 'x-ms-runtime': { audience: 'x', nonce: 'of-the-paravisor' } },
    },
    changes,
  )

const verify = (payload: Claims, signer = key, header: object = {}) =>
  verifier.verify(signToken(payload, signer, header), EXPECTED)

describe('createAzureAttestationVerifier', () => {
  it('accepts SEV-SNP, TDX and a whole VM; the nonce is that of the runtime data', async () => {
    const verified = await verify(snp())
    expect(verified).toMatchObject({ verifier: 'azure', issuer: ISSUER, nonces: [NONCE] })
    expect(verified.claims).toEqual({
      kind: 'sev-snp',
      debuggable: false,
      complianceStatus: 'azure-compliant-uvm',
      launchMeasurement: 'ab'.repeat(48),
      hostData: 'cd'.repeat(32),
      reportData: 'ef'.repeat(64),
      vmId: 'vm-1',
    })
    expect((await verify(tdx())).claims).toMatchObject({ kind: 'tdx', debuggable: false, mrtd: 'ab'.repeat(48) })
    const whole = await verify(vm(), key, { jku: `${ISSUER}/certs`, x5c: ['MIIB'] })
    expect(whole).toMatchObject({ nonces: [NONCE], claims: { kind: 'sev-snp', vmId: 'vm-2' } })
  })

  it('takes no nonce and no audience from anywhere else', async () => {
    expect((await verify(snp({ 'x-ms-runtime>nonce': undefined }))).nonces).toEqual([])
    const bare = { aud: AUDIENCE, audience: AUDIENCE, 'x-ms-runtime>audience': undefined }
    await expect(verify(snp(bare))).rejects.toEqual(refusalOf('jwt.aud'))
    await expect(verify(vm({ 'x-ms-runtime': runtime() }))).rejects.toEqual(refusalOf('jwt.aud'))
    await expect(verify(vm({ 'x-ms-runtime>client-payload': {} }))).rejects.toEqual(refusalOf('jwt.aud'))
    await expect(verify(vm({ 'x-ms-runtime>client-payload>audience': AUDIENCE }))).rejects.toEqual(refusalOf('jwt.aud'))
    await expect(verify(snp({ 'x-ms-runtime>nonce': [NONCE] }))).rejects.toEqual(refusalOf('jwt.nonce'))
  })

  it('J23 binds keys and policies to their own instance', async () => {
    await expect(verify(snp(), otherKey, { kid: 'azure-1' })).rejects.toEqual(refusalOf('jwt.sig'))
    await expect(verify(snp({ iss: OTHER }))).rejects.toEqual(refusalOf('jwt.key'))
    await expect(verify(snp({ iss: OTHER }), otherKey)).rejects.toEqual(refusalOf('claim.policy_hash'))
    await expect(verify(snp({ iss: OTHER, 'x-ms-policy-hash': OTHER_POLICY }), otherKey)).resolves.toBeDefined()
    await expect(verify(snp({ iss: 'https://evil.eus.attest.azure.net' }))).rejects.toEqual(refusalOf('jwt.iss'))
  })

  it('accepts RS256 alone', async () => {
    for (const alg of ['none', 'PS256', 'RS384', 'HS256']) {
      await expect(verify(snp(), key, { alg })).rejects.toEqual(refusalOf('jwt.alg'))
    }
  })

  it.each<[string, Claims]>([
    ['claim.policy_hash', { 'x-ms-policy-hash': undefined }],
    ['claim.policy_hash', { 'x-ms-policy-hash': [POLICY] }],
    ['claim.attestation_type', { 'x-ms-attestation-type': 'sgx' }],
    ['claim.attestation_type', { 'x-ms-attestation-type': undefined }],
    ['claim.dbgstat', { 'x-ms-sevsnpvm-is-debuggable': true }],
    ['claim.dbgstat', { 'x-ms-sevsnpvm-is-debuggable': undefined }],
    ['claim.format', { 'x-ms-sevsnpvm-is-debuggable': 'false' }],
    ['claim.format', { 'x-ms-sevsnpvm-hostdata': 1 }],
    ['claim.tcb_status', { 'x-ms-compliance-status': 'azure-noncompliant' }],
    ['claim.tcb_status', { 'x-ms-compliance-status': undefined }],
    ['jwt.exp', { exp: NOW + 28_801 }],
    ['jwt.time', { iat: NOW - 331, exp: NOW + 60 }],
  ])('refuses SEV-SNP by %s: %j', async (check, changes) => {
    await expect(verify(snp(changes))).rejects.toEqual(refusalOf(check as 'jwt.exp'))
  })

  it.each<[string, Claims]>([
    ['claim.dbgstat', { tdx_td_attributes_debug: true }],
    ['claim.dbgstat', { tdx_td_attributes_debug: undefined }],
    ['claim.dbgstat', { dbgstat: 'enabled' }],
    ['claim.tcb_status', { attester_tcb_status: 'OutOfDate' }],
    ['claim.tcb_status', { attester_tcb_status: undefined }],
    ['claim.tcb_status', { 'x-ms-compliance-status': 'no' }],
  ])('refuses TDX by %s: %j', async (check, changes) => {
    await expect(verify(tdx(changes))).rejects.toEqual(refusalOf(check as 'jwt.exp'))
  })

  it.each<[string, Claims]>([
    ['claim.secboot', { secureboot: false }],
    ['claim.secboot', { secureboot: undefined }],
    ['claim.dbgstat', { 'x-ms-azurevm-kerneldebug-enabled': true }],
    ['claim.dbgstat', { 'x-ms-azurevm-hypervisordebug-enabled': 'false' }],
    ['claim.dbgstat', { 'x-ms-isolation-tee>x-ms-sevsnpvm-is-debuggable': true }],
    ['claim.tcb_status', { 'x-ms-isolation-tee>x-ms-compliance-status': undefined }],
    ['claim.attestation_type', { 'x-ms-isolation-tee': undefined }],
    ['claim.attestation_type', { 'x-ms-isolation-tee>x-ms-attestation-type': 'azurevm' }],
  ])('refuses a whole VM by %s: %j', async (check, changes) => {
    await expect(verify(vm(changes))).rejects.toEqual(refusalOf(check as 'jwt.exp'))
  })

  it('caps the lifetime where it is told to', async () => {
    const strict = createAzureAttestationVerifier({
      clock,
      instances: [{ issuer: ISSUER, keys: keySet(key), policyHashes: [POLICY] }],
      maxLifetimeSeconds: 3600,
    })
    await expect(strict.verify(signToken(snp(), key), EXPECTED)).rejects.toEqual(refusalOf('jwt.exp'))
  })

  it.each([
    [[]],
    [[{ issuer: 'https://attest.azure.net.example.com', policyHashes: [POLICY] }]],
    [[{ issuer: 'http://example.eus.attest.azure.net', policyHashes: [POLICY] }]],
    [[{ issuer: `${ISSUER}/`, policyHashes: [POLICY] }]],
    [[{ issuer: ISSUER, policyHashes: [] }]],
    [[{ issuer: ISSUER, policyHashes: ['short'] }]],
    [
      [
        { issuer: ISSUER, policyHashes: [POLICY] },
        { issuer: ISSUER, policyHashes: [POLICY] },
      ],
    ],
  ])('refuses the instances %j', (instances) => {
    const keys = keySet(key)
    expect(() => createAzureAttestationVerifier({ instances: instances.map((one) => ({ ...one, keys })) })).toThrow(
      TypeError,
    )
  })

  it('refuses other options that could not be meant', () => {
    const instances = [{ issuer: ISSUER, keys: keySet(key), policyHashes: [POLICY] }]
    expect(() => createAzureAttestationVerifier({ instances, acceptedTcbStatuses: [] })).toThrow(TypeError)
    expect(() => createAzureAttestationVerifier({ instances, maxLifetimeSeconds: 0 })).toThrow(RangeError)
  })
})
