import { productionClaims } from '@hardbound/testkit'
import { describe, expect, it } from '@jest/globals'
import { checkToken } from '../src/internal/check-token.ts'
import { readUnverified } from '../src/internal/read-unverified.ts'

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const unsigned = (payload: object, header: object = {}): string =>
  `${encode({ alg: 'RS256', typ: 'JWT', kid: 'any', ...header })}.${encode(payload)}.${'A'.repeat(342)}`

const TIMES = { iat: 1_700_000_000, nbf: 1_700_000_000, exp: 1_700_003_600 }
const google = { ...productionClaims(), ...TIMES, iss: 'https://confidentialcomputing.googleapis.com', aud: 'any' }
const sevSnp = {
  ...TIMES,
  iss: 'https://example.weu.attest.azure.net',
  jti: 'any',
  'x-ms-ver': '1.0',
  'x-ms-policy-hash': 'B'.repeat(43),
  'x-ms-attestation-type': 'sevsnpvm',
  'x-ms-compliance-status': 'azure-compliant-uvm',
  'x-ms-sevsnpvm-is-debuggable': false,
  'x-ms-sevsnpvm-launchmeasurement': 'ab'.repeat(48),
  'x-ms-sevsnpvm-hostdata': 'cd'.repeat(32),
  'x-ms-sevsnpvm-reportdata': 'ef'.repeat(64),
  'x-ms-runtime': { audience: 'any', nonce: 'n'.repeat(43), keys: [], 'vm-configuration': { vmUniqueId: 'vm-1' } },
}
const tdx = {
  ...TIMES,
  iss: 'https://portal.eu.trustauthority.intel.com',
  tdx: {
    attester_type: 'TDX',
    attester_tcb_status: 'OutOfDate',
    tdx_is_debuggable: false,
    tdx_td_attributes_debug: false,
    tdx_mrtd: 'ab'.repeat(48),
    tdx_report_data: 'cd'.repeat(64),
  },
}

describe('readUnverified', () => {
  it.each([
    ['google', google, {}, 'confidential-space'],
    ['google-pki', google, { x5c: ['any'] }, 'confidential-space'],
    [
      'intel',
      { ...google, iss: 'https://portal.trustauthority.intel.com', hwmodel: 'INTEL_TDX' },
      {},
      'confidential-space',
    ],
    ['intel', tdx, {}, 'tdx'],
    ['azure', sevSnp, {}, 'sev-snp'],
  ])('reads a token as %s would, whatever its age, audience and signature', async (verifier, payload, header, kind) => {
    const attestation = await readUnverified(unsigned(payload, header))
    expect(attestation).toMatchObject({ verifier, claims: { kind }, assertion: payload })
  })

  it.each([
    ['K05 no Confidential Space', { ...google, swname: 'GCE' }, 'claim.swname'],
    ['K06 no memory encryption', { ...google, hwmodel: 'GCP_SHIELDED_VM' }, 'claim.hwmodel'],
    ['an Azure token without a policy', { ...sevSnp, 'x-ms-policy-hash': undefined }, 'claim.policy_hash'],
  ])('%s: says that no broker takes it', async (_, payload, check) => {
    await expect(readUnverified(unsigned(payload))).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringContaining(check),
    })
  })
})

describe('checkToken', () => {
  it('leaves to the configuration what only it can say, and verifies nothing without keys', async () => {
    const { outcomes, verified, warning } = await checkToken(unsigned(sevSnp), {})
    expect(outcomes).toContainEqual(expect.objectContaining({ check: 'claim.policy_hash', outcome: 'skipped' }))
    expect({ verified, warning }).toEqual({ verified: false, warning: expect.stringContaining('NOT VERIFIED') })
  })

  it.each(['https://evil.example.com/.attest.azure.net', '', 42])('J14 K14 fails a token of %j', async (iss) => {
    const { outcomes } = await checkToken(unsigned({ ...google, iss }), {})
    expect(outcomes).toContainEqual(expect.objectContaining({ check: 'jwt.iss', outcome: 'fail' }))
  })
})
