import { describe, expect, it } from '@jest/globals'
import { CONDITION_ORDER } from '../../src/policy/rule-conditions.ts'
import type { PolicyInput } from '../../src/types.ts'
import * as t from './helpers.ts'

const RTMR = ['4', '5', '6', '7'].map((digit) => t.hex(digit, 96))
const tdx = (
  mrtd: string | undefined,
  rtmr: readonly (string | undefined)[] = RTMR,
): PolicyInput['attestation']['claims'] => ({
  kind: 'tdx',
  dbgstat: 'disabled',
  debuggable: false,
  tcbStatus: 'UpToDate',
  tcbDate: undefined,
  mrtd,
  rtmr,
  reportData: undefined,
})
const snp = (launchMeasurement: string, hostData: string): PolicyInput['attestation']['claims'] => ({
  kind: 'sev-snp',
  debuggable: false,
  complianceStatus: 'azure-compliant-cvm',
  launchMeasurement,
  hostData,
  reportData: undefined,
  vmId: undefined,
})

describe('rule conditions', () => {
  it('K18 K19 refuses overrides that no rule lists', () => {
    const env = t.input({ claims: t.withContainer({ envOverride: { LD_PRELOAD: '/x.so' } }) })
    expect(t.decideOn(env, t.rule())).toEqual(t.denied('claim.env_override'))
    const command = t.input({ claims: t.withContainer({ cmdOverride: ['sh'] }) })
    expect(t.decideOn(command, t.rule())).toEqual(t.denied('claim.cmd_override'))
  })

  it.each([
    ['another image', `sha256:${t.hex('d')}`],
    ['upper-case hex', `sha256:${t.hex('A')}`],
    ['no prefix', t.hex('a')],
    ['63 digits', `sha256:${t.hex('a', 63)}`],
    ['sha512', `sha512:${t.hex('a')}`],
    ['K03 none', undefined],
  ])('K01 K02 refuses an image digest that is not the listed one: %s', (_name, imageDigest) => {
    const bad = t.input({ claims: t.withContainer({ imageDigest }) }) // image_reference still matches
    expect(t.decideOn(bad, t.rule())).toEqual(t.denied('claim.image_digest'))
  })

  it.each([
    ['another key', [{ keyId: t.hex('d'), signatureAlgorithm: 'ECDSA_P256_SHA256' }]],
    ['another algorithm', [{ keyId: t.hex('b'), signatureAlgorithm: 'RSASSA_PSS_SHA256' }]],
    [
      'key and algorithm of two signatures',
      [
        { keyId: t.hex('b'), signatureAlgorithm: 'RSASSA_PSS_SHA256' },
        { keyId: t.hex('d'), signatureAlgorithm: 'ECDSA_P256_SHA256' },
      ],
    ],
    ['no signature', []],
  ])('K21 refuses %s when a signer is asked for', (_name, imageSignatures) => {
    const signed = t.rule({ workload: { signers: [{ algorithm: 'ECDSA_P256_SHA256', key_id: t.hex('b') }] } })
    expect(t.decideOn(t.input(), signed)).toMatchObject({ allow: true })
    expect(t.decideOn(t.input({ claims: t.withContainer({ imageSignatures }) }), signed)).toEqual(
      t.denied('claim.image_signatures'),
    )
  })

  it.each([
    ['lower', ['240400']],
    ['zero', ['0']],
    ['none', []],
    ['two', ['250301', '250301']],
    ['not a number', ['latest']],
    ['a fraction', ['250301.5']],
    ['hexadecimal', ['0xFFFFFF']],
  ])('K09 refuses swversion: %s', (_name, swversion) => {
    const rule = t.rule({ workload: { min_swversion: '240500' } })
    expect(t.decideOn(t.input(), rule)).toMatchObject({ allow: true })
    expect(t.decideOn(t.input({ claims: { ...t.claims, swversion } }), rule)).toEqual(t.denied('claim.swversion'))
  })
  it('K09 compares versions as numbers, not as text', () => {
    const rule = t.rule({ workload: { min_swversion: '90000' } })
    expect(t.decideOn(t.input(), rule)).toMatchObject({ allow: true })
  })

  it.each(['9234567890', '1234567890.', '123456789О', undefined])('K10 goes by project number: %s', (projectNumber) => {
    const rule = t.rule({ workload: { project_numbers: ['1234567890'] } })
    expect(t.decideOn(t.input({ claims: t.withGce({ projectNumber }) }), rule)).toEqual(
      t.denied('claim.project_number'),
    )
  })

  it('K18 takes exactly the listed environment', () => {
    const rule = t.rule({ workload: { env_override: { MODE: 'prod', REGION: 'eu' } } })
    const decide = (envOverride: Record<string, string>) =>
      t.decideOn(t.input({ claims: t.withContainer({ envOverride }) }), rule)
    expect(decide({ REGION: 'eu', MODE: 'prod' })).toMatchObject({ allow: true })
    const refused: Record<string, string>[] = [
      {},
      { MODE: 'prod' },
      { MODE: 'Prod', REGION: 'eu' },
      { MODE: 'prod', REGION: 'eu', HTTPS_PROXY: 'http://x' },
      { MODE: 'prod', region: 'eu' },
    ]
    for (const envOverride of refused) expect(decide(envOverride)).toEqual(t.denied('claim.env_override'))
  })

  it('K18 does not take inherited names for variables', () => {
    const rule = t.rule({ workload: { env_override: { toString: 'x' } } })
    const bad = t.input({ claims: t.withContainer({ envOverride: { other: 'x' } }) })
    expect(t.decideOn(bad, rule)).toEqual(t.denied('claim.env_override'))
  })

  it('K19 takes exactly the listed arguments, in order', () => {
    const rule = t.rule({ workload: { args: ['/app', '--serve'], cmd_override: ['--serve'] } })
    const decide = (args: string[], cmdOverride = ['--serve']) =>
      t.decideOn(t.input({ claims: t.withContainer({ args, cmdOverride }) }), rule)
    expect(decide(['/app', '--serve'])).toMatchObject({ allow: true })
    for (const args of [['--serve', '/app'], ['/app', '--serve', ''], ['/app'], []]) {
      expect(decide(args)).toEqual(t.denied('claim.args'))
    }
    expect(decide(['/app', '--serve'], [])).toEqual(t.denied('claim.cmd_override'))
    expect(decide(['/app', '--serve'], ['--serve', ''])).toEqual(t.denied('claim.cmd_override'))
  })

  it('K20 takes exactly the listed service accounts', () => {
    const [app, other] = ['app@example.iam.gserviceaccount.com', 'other@example.iam.gserviceaccount.com']
    const decide = (googleServiceAccounts: string[], workload = {}) =>
      t.decideOn(
        t.input({ claims: { ...t.claims, googleServiceAccounts } }),
        t.rule({ workload: { service_accounts: [app], ...workload } }),
      )
    expect(decide([app])).toMatchObject({ allow: true })
    for (const accounts of [[other], [app, other], []])
      expect(decide(accounts)).toEqual(t.denied('claim.service_accounts'))
    expect(decide([other, app], { service_accounts_allow_others: true })).toMatchObject({ allow: true })
    expect(decide([other], { service_accounts_allow_others: true })).toEqual(t.denied('claim.service_accounts'))
  })

  it('K22 ignores what a rule does not list, and refuses where what it lists is absent', () => {
    const bare = t.input({
      claims: {
        ...t.withContainer({ restartPolicy: undefined }),
        memoryMonitoring: undefined,
        gpu: undefined,
      } as t.ConfidentialSpace,
    })
    expect(t.decideOn(bare, t.rule())).toMatchObject({ allow: true })
    expect(t.decideOn(bare, t.rule({ workload: { restart_policy: 'Never' } }))).toEqual(
      t.denied('claim.restart_policy'),
    )
    expect(t.decideOn(bare, t.rule({ workload: { memory_monitoring: false } }))).toEqual(
      t.denied('claim.memory_monitoring'),
    )
    expect(t.decideOn(bare, t.rule({ workload: { gpu_cc_mode: 'ON' } }))).toEqual(t.denied('claim.gpu_cc_mode'))
    const nowhere = t.input({ claims: t.withGce({ zone: undefined }) })
    expect(t.decideOn(nowhere, t.rule({ workload: { zones: ['europe-west4-a'] } }))).toEqual(t.denied('claim.zone'))
  })

  it('K25 refuses where attester_tcb lacks what the rule asks for', () => {
    const rule = t.rule({ workload: { attester_tcb: ['INTEL'] } })
    expect(t.decideOn(t.input(), rule)).toMatchObject({ allow: true })
    expect(t.decideOn(t.input({ claims: { ...t.claims, attesterTcb: [] } }), rule)).toEqual(
      t.denied('claim.attester_tcb'),
    )
  })

  it('takes measurements of TDX and SEV-SNP, and no token of another kind', () => {
    const intel = t.rule({
      workload: {
        image_digests: undefined,
        measurements: { mrtd: [t.hex('e', 96)], rtmr2: [t.hex('9', 96), RTMR[2]] },
      },
    })
    const amd = t.rule({
      workload: {
        image_digests: undefined,
        measurements: { launch_measurement: [t.hex('f', 96)], host_data: [t.hex('1')] },
      },
    })
    expect(t.decideOn(t.input({ claims: tdx(t.hex('e', 96)) }), intel)).toMatchObject({ allow: true })
    expect(t.decideOn(t.input({ claims: tdx(t.hex('d', 96)) }), intel)).toEqual(t.denied('claim.mrtd'))
    expect(t.decideOn(t.input({ claims: tdx(undefined) }), intel)).toEqual(t.denied('claim.mrtd'))
    expect(t.decideOn(t.input({ claims: tdx(t.hex('e', 96), []) }), intel)).toEqual(t.denied('claim.rtmr2'))
    expect(t.decideOn(t.input(), intel)).toEqual(t.denied('claim.mrtd'))
    expect(t.decideOn(t.input({ claims: snp(t.hex('e', 96), t.hex('1')) }), intel)).toEqual(t.denied('claim.mrtd'))
    expect(t.decideOn(t.input({ claims: snp(t.hex('f', 96), t.hex('1')) }), amd)).toMatchObject({ allow: true })
    expect(t.decideOn(t.input({ claims: snp(t.hex('f', 96), t.hex('2')) }), amd)).toEqual(t.denied('claim.host_data'))
    expect(t.decideOn(t.input({ claims: snp(t.hex('e', 96), t.hex('1')) }), amd)).toEqual(
      t.denied('claim.launch_measurement'),
    )
    expect(t.decideOn(t.input({ claims: tdx(t.hex('e', 96)) }), t.rule())).toEqual(t.denied('claim.image_digest'))
  })

  it('goes by the verifier that accepted the token', () => {
    const pki = t.input({ attestation: { verifier: 'google-pki' } }) // the same iss
    expect(t.decideOn(pki, t.rule())).toEqual(t.denied('issuer'))
    expect(t.decideOn(pki, t.rule({ workload: { issuer: 'google-pki' } }))).toMatchObject({ allow: true })
  })

  it('matches peers exactly, one of each list', () => {
    const peer = { spki_sha256: [t.hex('d'), t.hex('c')], dns: ['app.example.com'], uri: ['spiffe://example.com/app'] }
    const decide = (other: Partial<PolicyInput['peer']>) => t.decideOn(t.input({ peer: other }), t.rule({ peer }))
    expect(decide({})).toMatchObject({ allow: true })
    const uri = ['spiffe://example.com/app']
    for (const bad of [
      { spkiSha256: undefined },
      { spkiSha256: t.hex('e') },
      { san: { dns: [], uri } },
      { san: { dns: ['x.app.example.com', 'app.example.com.'], uri } },
      { san: { dns: uri, uri: ['app.example.com'] } },
      { san: { dns: ['app.example.com'], uri: ['spiffe://example.com/app/x'] } },
    ]) {
      expect(decide(bad)).toEqual(t.denied('peer.unmapped'))
    }
  })

  it('takes Go-v1 only where a rule names it', () => {
    const go = t.input({ protocol: 'go-v1' })
    expect(t.decideOn(go, t.rule())).toEqual(t.denied('protocol'))
    expect(t.decideOn(go, t.rule({ protocols: ['go-v1'] }))).toMatchObject({ allow: true })
    expect(t.decideOn(t.input(), t.rule({ protocols: ['go-v1'] }))).toEqual(t.denied('protocol'))
  })
})

describe('P09 a full rule with one predicate less', () => {
  const workload = {
    image_digests: [t.DIGEST],
    signers: [{ algorithm: 'ECDSA_P256_SHA256', key_id: t.hex('b') }],
    project_numbers: ['1234567890'],
    zones: ['europe-west4-a'],
    instance_ids: ['4455667788'],
    service_accounts: ['app@example.iam.gserviceaccount.com'],
    hwmodels: ['GCP_AMD_SEV'],
    min_swversion: '250301',
    env_override: { MODE: 'prod' },
    cmd_override: ['--serve'],
    args: ['/app', '--serve'],
    restart_policy: 'Never',
    memory_monitoring: false,
    attester_tcb: ['INTEL'],
    gpu_cc_mode: 'ON',
  }
  const good = t.withContainer({ envOverride: { MODE: 'prod' }, cmdOverride: ['--serve'] }) as t.ConfidentialSpace
  const { container, gce } = good
  const bad: Record<keyof typeof workload, PolicyInput['attestation']['claims']> = {
    image_digests: { ...good, container: { ...container, imageDigest: `sha256:${t.hex('9')}` } },
    signers: { ...good, container: { ...container, imageSignatures: [] } },
    project_numbers: { ...good, gce: { ...gce, projectNumber: '1' } },
    zones: { ...good, gce: { ...gce, zone: 'us-east1-b' } },
    instance_ids: { ...good, gce: { ...gce, instanceId: '1' } },
    service_accounts: { ...good, googleServiceAccounts: [] },
    hwmodels: { ...good, hwmodel: 'GCP_INTEL_TDX' },
    min_swversion: { ...good, swversion: ['250300'] },
    env_override: { ...good, container: { ...container, envOverride: {} } },
    cmd_override: { ...good, container: { ...container, cmdOverride: [] } },
    args: { ...good, container: { ...container, args: [] } },
    restart_policy: { ...good, container: { ...container, restartPolicy: 'Always' } },
    memory_monitoring: { ...good, memoryMonitoring: true },
    attester_tcb: { ...good, attesterTcb: [] },
    gpu_cc_mode: { ...good, gpu: { ccMode: 'DEVTOOLS' } },
  }
  const full = { workload, peer: { dns: ['app.example.com'] }, when: 'assertion.hwmodel == "GCP_AMD_SEV"' }

  it('P09 allows what fits in full', () => {
    expect(t.decideOn(t.input({ claims: good }), t.rule(full))).toMatchObject({ allow: true })
  })
  it.each(Object.keys(workload) as (keyof typeof workload)[])('P09 %s counts', (key) => {
    const request = t.input({ claims: bad[key] })
    expect(t.decideOn(request, t.rule(full))).toMatchObject({ allow: false })
    const { [key]: _, ...less } = workload
    // Leaving out a list of overrides asks for none, so nothing is allowed by it but what was refused just now.
    expect(t.decideOn(request, t.rule({ ...full, workload: { image_digests: undefined, ...less } }))).toMatchObject({
      allow: true,
    })
  })
  it('P09 peer and when count', () => {
    const stranger = t.input({ claims: good, peer: { san: { dns: [], uri: [] } } })
    expect(t.decideOn(stranger, t.rule(full))).toEqual(t.denied('peer.unmapped'))
    expect(t.decideOn(stranger, t.rule({ ...full, peer: undefined }))).toMatchObject({ allow: true })
    const other = t.input({ claims: good, assertion: { hwmodel: 'X' } })
    expect(t.decideOn(other, t.rule(full))).toEqual(t.denied('when'))
    expect(t.decideOn(other, t.rule({ ...full, when: undefined }))).toMatchObject({ allow: true })
  })
  it('P09 the loader refuses a rule whose last image condition is gone', () => {
    const { image_digests: _, signers: __, ...rest } = workload
    const document = t.document(t.rule({ workload: { image_digests: undefined, ...rest } }))
    expect(t.refusalOf(document)).toEqual(t.invalid('rules[0].workload'))
  })
  it('checks conditions in the order that all rules share', () => {
    const [outcome] = t.policyOf(t.rule(full)).explain(t.input({ claims: good }))
    const places = outcome!.conditions.map(({ condition }) => CONDITION_ORDER.indexOf(condition)).slice(0, -1)
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(places).not.toContain(-1)
  })
})

describe('P09 a full rule of measurements with one predicate less', () => {
  const other = t.hex('d', 96)
  const claims = tdx(t.hex('e', 96))
  const withRtmr = (index: number, value: string | undefined) =>
    tdx(
      t.hex('e', 96),
      RTMR.map((it, at) => (at === index ? value : it)),
    )
  const measurements = {
    mrtd: [t.hex('e', 96)],
    rtmr0: [RTMR[0]],
    rtmr1: [RTMR[1]],
    rtmr2: [RTMR[2]],
    rtmr3: [RTMR[3]],
  }
  const ruleOf = (asked: t.Loose) => t.rule({ workload: { image_digests: undefined, measurements: asked } })

  it('P09 allows what fits in full', () => {
    expect(t.decideOn(t.input({ claims }), ruleOf(measurements))).toMatchObject({ allow: true })
  })
  it.each([0, 1, 2, 3] as const)('P09 rtmr%i counts, each in its own place', (index) => {
    const key = `rtmr${index}` as const
    const { [key]: _, ...less } = measurements
    for (const value of [other, RTMR[(index + 1) % 4], undefined]) {
      const request = t.input({ claims: withRtmr(index, value) })
      expect(t.decideOn(request, ruleOf(measurements))).toEqual(t.denied(`claim.${key}`))
      expect(t.decideOn(request, ruleOf(less))).toMatchObject({ allow: true })
    }
  })
  it('P09 mrtd counts, and without it the loader refuses', () => {
    expect(t.decideOn(t.input({ claims: tdx(other) }), ruleOf(measurements))).toEqual(t.denied('claim.mrtd'))
    const { mrtd: _, ...less } = measurements
    expect(t.refusalOf(t.document(ruleOf(less)))).toEqual(t.invalid('rules[0].workload.measurements.rtmr0'))
  })
  it('P09 the loader refuses a rule whose last measurement beyond the firmware is gone', () => {
    const { rtmr1: _, rtmr2: __, rtmr3: ___, ...less } = measurements
    expect(t.refusalOf(t.document(ruleOf(less)))).toEqual(t.invalid('rules[0].workload.measurements.mrtd'))
  })
  it.each(['launch_measurement', 'host_data'] as const)('P09 the loader refuses SEV-SNP with %s alone', (key) => {
    const asked = { launch_measurement: [other], host_data: [t.hex('1')] }
    expect(() => t.policyOf(ruleOf(asked))).not.toThrow()
    expect(t.refusalOf(t.document(ruleOf({ [key]: asked[key] })))).toEqual(
      t.invalid(`rules[0].workload.measurements.${key}`),
    )
  })
  it('checks measurements in the order that all rules share', () => {
    const [outcome] = t.policyOf(ruleOf(measurements)).explain(t.input({ claims }))
    const places = outcome!.conditions.map(({ condition }) => CONDITION_ORDER.indexOf(condition)).slice(0, -1)
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(places).not.toContain(-1)
  })
})
