import { constants, sign } from 'node:crypto'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { type AttestationVerifier, createIntelVerifier } from '../src/index.ts'
import {
  AUDIENCE,
  base64url,
  type Claims,
  clock,
  EXPECTED,
  keySet,
  makeKey,
  NONCE,
  NOW,
  refusalOf,
  signToken,
  type TestKey,
  workload,
} from './helpers.ts'

const ISSUER = 'https://portal.trustauthority.intel.com'
let key: TestKey
let both: TestKey
let verifier: AttestationVerifier
let lenient: AttestationVerifier

beforeAll(() => {
  key = makeKey('intel-1')
  both = makeKey('intel-2')
  delete both.jwk.alg
  const keys = keySet(key, both)
  verifier = createIntelVerifier({ keys, clock })
  lenient = createIntelVerifier({ keys, clock, dangerouslyAcceptNoAudience: true })
})

const space = (changes: Claims = {}) =>
  workload({ iss: ISSUER, hwmodel: 'INTEL_TDX', attester_tcb: undefined, ...changes })

const quote = () => ({
  attester_type: 'TDX',
  attester_tcb_status: 'UpToDate',
  attester_tcb_date: '2026-01-01T00:00:00Z',
  attester_held_data: Buffer.from(NONCE).toString('base64'),
  tdx_mrtd: 'AB'.repeat(48),
  tdx_rtmr0: 'cd'.repeat(48),
  tdx_report_data: 'ef'.repeat(64),
  tdx_is_debuggable: false,
  dbgstat: 'disabled',
})
const common = { iss: ISSUER, iat: NOW, exp: NOW + 300, verifier_nonce: { val: 'Y2hvc2VuIGJ5IGEgcmVsYXk=' } }
const flat = (changes: Claims = {}) => ({ ver: '1.0.0', ...common, ...quote(), ...changes })
const nested = (changes: Claims = {}) => ({ ver: '2.0.0', ...common, tdx: { ...quote(), ...changes } })

describe('Confidential Space tokens of Intel', () => {
  it('accepts either spelling of a guest without debugging, under RS256', async () => {
    for (const dbgstat of ['disabled', 'disabled-since-boot']) {
      const verified = await verifier.verify(signToken(space({ dbgstat }), key), EXPECTED)
      expect(verified).toMatchObject({ verifier: 'intel', nonces: [NONCE], claims: { kind: 'confidential-space' } })
    }
  })

  it('accepts PS384, by a key that is not for RS256 alone', async () => {
    await expect(verifier.verify(ps384(space(), both), EXPECTED)).resolves.toBeDefined()
    await expect(verifier.verify(ps384(space(), key), EXPECTED)).rejects.toEqual(refusalOf('jwt.key'))
    const damaged = ps384(space(), both).replace(/.{8}$/, 'AAAAAAAA')
    await expect(verifier.verify(damaged, EXPECTED)).rejects.toEqual(refusalOf('jwt.sig'))
  })

  it('never follows jku, and takes no other header', async () => {
    const token = signToken(space(), key, { jku: 'https://attacker.example.com/certs' })
    await expect(verifier.verify(token, EXPECTED)).resolves.toBeDefined()
    await expect(verifier.verify(signToken(space(), key, { jwk: {} }), EXPECTED)).rejects.toEqual(
      refusalOf('jwt.header'),
    )
    await expect(verifier.verify(signToken(space(), key, { alg: 'PS256' }), EXPECTED)).rejects.toEqual(
      refusalOf('jwt.alg'),
    )
  })

  it.each([
    ['claim.hwmodel', { hwmodel: 'GCP_INTEL_TDX' }],
    ['claim.dbgstat', { dbgstat: 'enabled' }],
    ['claim.secboot', { secboot: false }],
    ['claim.swname', { swname: 'GCE' }],
    ['claim.support_attributes', { 'submods.confidential_space.support_attributes': ['USABLE'] }],
    ['jwt.aud', { aud: undefined }],
    ['jwt.iss', { iss: 'https://confidentialcomputing.googleapis.com' }],
    ['jwt.iss', { iss: 'https://portal.eu.trustauthority.intel.com' }],
  ] as const)('refuses by %s: %j', async (check, changes) => {
    await expect(lenient.verify(signToken(space(changes), key), EXPECTED)).rejects.toEqual(refusalOf(check))
  })
})

describe('plain TDX tokens of Intel', () => {
  it.each([
    ['version 1, flat', flat()],
    ['version 2, nested', nested()],
  ])('reads %s the same way; the nonce is the held data', async (_, payload) => {
    const verified = await lenient.verify(signToken(payload, key), EXPECTED)
    expect(verified.nonces).toEqual([NONCE])
    expect(verified.claims).toEqual({
      kind: 'tdx',
      dbgstat: 'disabled',
      debuggable: false,
      tcbStatus: 'UpToDate',
      tcbDate: '2026-01-01T00:00:00Z',
      mrtd: 'ab'.repeat(48),
      rtmr: ['cd'.repeat(48), undefined, undefined, undefined],
      reportData: 'ef'.repeat(64),
    })
  })

  it('refuses them without the opt-out, as they name no audience; with one, it must be right', async () => {
    await expect(verifier.verify(signToken(flat(), key), EXPECTED)).rejects.toEqual(refusalOf('jwt.aud'))
    await expect(verifier.verify(signToken(flat({ aud: AUDIENCE }), key), EXPECTED)).resolves.toBeDefined()
    await expect(lenient.verify(signToken(flat({ aud: 'x' }), key), EXPECTED)).rejects.toEqual(refusalOf('jwt.aud'))
    await expect(lenient.verify(signToken(flat({ aud: null }), key), EXPECTED)).rejects.toEqual(refusalOf('jwt.aud'))
  })

  it('takes no nonce from verifier_nonce or eat_nonce, which a relay can choose', async () => {
    const payload = { ...nested({ attester_held_data: undefined }), eat_nonce: NONCE }
    expect((await lenient.verify(signToken(payload, key), EXPECTED)).nonces).toEqual([])
  })

  it.each<[string, Claims]>([
    ['base64 without padding', { attester_held_data: Buffer.from('nonce-nonce').toString('base64').replace('=', '') }],
    ['octets that are no text', { attester_held_data: Buffer.alloc(16, 0xff).toString('base64') }],
    ['a list', { attester_held_data: [Buffer.from(NONCE).toString('base64')] }],
    ['a number', { attester_held_data: 7 }],
    ['a short text', { attester_held_data: 'AAAA' }],
  ])('refuses held data that is %s', async (_, changes) => {
    await expect(lenient.verify(signToken(nested(changes), key), EXPECTED)).rejects.toEqual(refusalOf('jwt.nonce'))
  })

  it.each<[string, Claims]>([
    ['claim.dbgstat', { tdx_is_debuggable: true }],
    ['claim.dbgstat', { tdx_is_debuggable: undefined }],
    ['claim.dbgstat', { dbgstat: 'enabled' }],
    ['claim.attestation_type', { attester_type: 'SGX' }],
    ['claim.attestation_type', { attester_type: undefined }],
    ['claim.tcb_status', { attester_tcb_status: 'OutOfDate' }],
    ['claim.tcb_status', { attester_tcb_status: undefined }],
    ['claim.format', { tdx_is_debuggable: 'false' }],
    ['claim.format', { tdx_mrtd: 7 }],
  ])('refuses by %s: %j, in both versions', async (check, changes) => {
    for (const payload of [flat(changes), nested(changes)]) {
      await expect(lenient.verify(signToken(payload, key), EXPECTED)).rejects.toEqual(
        refusalOf(check as 'claim.format'),
      )
    }
  })

  it('refuses a token that is of both versions', async () => {
    const payload = { ...nested(), tdx_is_debuggable: false }
    await expect(lenient.verify(signToken(payload, key), EXPECTED)).rejects.toEqual(refusalOf('claim.format'))
  })

  it('accepts the TCB status it is told to', async () => {
    const relaxed = createIntelVerifier({
      keys: keySet(key),
      clock,
      dangerouslyAcceptNoAudience: true,
      acceptedTcbStatuses: ['UpToDate', 'SWHardeningNeeded'],
    })
    const token = signToken(flat({ attester_tcb_status: 'SWHardeningNeeded' }), key)
    await expect(relaxed.verify(token, EXPECTED)).resolves.toBeDefined()
  })
})

it('answers for one region, and refuses options that could not be meant', () => {
  const keys = keySet(key)
  expect(createIntelVerifier({ keys, region: 'eu' }).issuers).toEqual(['https://portal.eu.trustauthority.intel.com'])
  expect(() => createIntelVerifier({ keys, region: 'mars' as 'eu' })).toThrow(TypeError)
  expect(() => createIntelVerifier({ keys, acceptedTcbStatuses: [] })).toThrow(TypeError)
})

function ps384(payload: object, signer: TestKey): string {
  const input = `${base64url(JSON.stringify({ alg: 'PS384', kid: signer.kid, typ: 'JWT' }))}.${base64url(JSON.stringify(payload))}`
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
  return `${input}.${base64url(sign('sha384', Buffer.from(input), { key: signer.privateKey, ...padding }))}`
}
