import type { VerifiedAttestation } from '@hardbound/attestation-verify'
import { type Condition, quote } from './condition.ts'
import type { WorkloadDocument } from './schema.ts'

type Claims = VerifiedAttestation['claims']
type ConfidentialSpace = Extract<Claims, { kind: 'confidential-space' }>

/** The conditions that a `workload` puts on the token, in the order in which they are checked. */
export function workloadConditions(workload: WorkloadDocument): Condition[] {
  const { measurements } = workload
  if (measurements !== undefined) {
    return [
      measurement('mrtd', measurements.mrtd, (claims) => (claims.kind === 'tdx' ? claims.mrtd : undefined)),
      ...([0, 1, 2, 3] as const).map((index) =>
        measurement(`rtmr${index}`, measurements[`rtmr${index}`], (claims) =>
          claims.kind === 'tdx' ? claims.rtmr[index] : undefined,
        ),
      ),
      measurement('launch_measurement', measurements.launch_measurement, (claims) =>
        claims.kind === 'sev-snp' ? claims.launchMeasurement : undefined,
      ),
      measurement('host_data', measurements.host_data, (claims) =>
        claims.kind === 'sev-snp' ? claims.hostData : undefined,
      ),
    ].flat()
  }
  return [
    oneOf('image_digest', workload.image_digests, ({ container }) => container.imageDigest),
    signedBy(workload.signers),
    oneOf('project_number', workload.project_numbers, ({ gce }) => gce.projectNumber),
    oneOf('zone', workload.zones, ({ gce }) => gce.zone),
    oneOf('instance_id', workload.instance_ids, ({ gce }) => gce.instanceId),
    serviceAccounts(workload.service_accounts, workload.service_accounts_allow_others ?? false),
    oneOf('hwmodel', workload.hwmodels, ({ hwmodel }) => hwmodel),
    softwareVersion(workload.min_swversion),
    environment(workload.env_override),
    sequence('cmd_override', workload.cmd_override, ({ container }) => container.cmdOverride),
    sequence('args', workload.args, ({ container }) => container.args),
    oneOf('restart_policy', listed(workload.restart_policy), ({ container }) => container.restartPolicy),
    oneOf('memory_monitoring', listed(workload.memory_monitoring), ({ memoryMonitoring }) => memoryMonitoring),
    attesters(workload.attester_tcb),
    oneOf('gpu_cc_mode', listed(workload.gpu_cc_mode), ({ gpu }) => gpu?.ccMode),
  ].flat()
}

const listed = <T>(value: T | undefined): readonly T[] | undefined => (value === undefined ? undefined : [value])

/** A condition on claims of Confidential Space. Other claims never meet it. */
function claim<T>(
  name: string,
  read: (claims: ConfidentialSpace) => T,
  accepts: (value: T) => boolean,
  describe: (value: T) => string,
): Condition {
  const on = <R>(claims: Claims, then: (value: T) => R, otherwise: R): R =>
    claims.kind === 'confidential-space' ? then(read(claims)) : otherwise
  return {
    name: `claim.${name}`,
    reason: `claim.${name}`,
    holds: ({ attestation }) => on(attestation.claims, accepts, false),
    detail: ({ attestation }) =>
      on(attestation.claims, describe, `a ${attestation.claims.kind} token has no such claim`),
  }
}

function oneOf<T>(name: string, allowed: readonly T[] | undefined, read: (claims: ConfidentialSpace) => T | undefined) {
  if (allowed === undefined) return []
  return claim(
    name,
    read,
    (value) => value !== undefined && allowed.includes(value),
    (value) => `${quote(value)} of ${quote(allowed)}`,
  )
}

function measurement(
  name: string,
  allowed: readonly string[] | undefined,
  read: (claims: Claims) => string | undefined,
) {
  if (allowed === undefined) return []
  const condition: Condition = {
    name: `claim.${name}`,
    reason: `claim.${name}`,
    holds({ attestation }) {
      const value = read(attestation.claims)
      return value !== undefined && allowed.includes(value)
    },
    detail: ({ attestation }) => `${quote(read(attestation.claims))} of ${quote(allowed)}`,
  }
  return condition
}

/** Anyone may attach a signature of their own: only a listed algorithm with its listed key counts. */
function signedBy(signers: WorkloadDocument['signers']) {
  if (signers === undefined) return []
  return claim(
    'image_signatures',
    ({ container }) => container.imageSignatures,
    (signatures) =>
      signatures.some((it) => signers.some((by) => by.key_id === it.keyId && by.algorithm === it.signatureAlgorithm)),
    (signatures) => `${signatures.length} signatures, ${signers.length} signers listed`,
  )
}

function serviceAccounts(expected: readonly string[] | undefined, allowOthers: boolean) {
  if (expected === undefined) return []
  return claim(
    'service_accounts',
    ({ googleServiceAccounts }) => googleServiceAccounts,
    (proven) =>
      expected.every((it) => proven.includes(it)) && (allowOthers || proven.every((it) => expected.includes(it))),
    (proven) => `${quote(proven)}; ${allowOthers ? 'must hold' : 'must be'} ${quote(expected)}`,
  )
}

/** `swversion` is a list of one number, as text. */
function softwareVersion(minimum: string | undefined) {
  if (minimum === undefined) return []
  return claim(
    'swversion',
    ({ swversion }) => swversion,
    ([version, ...more]) =>
      version !== undefined && more.length === 0 && /^[0-9]{1,9}$/.test(version) && Number(version) >= Number(minimum),
    (versions) => `${quote(versions)}, at least ${quote(minimum)}`,
  )
}

function environment(expected: Readonly<Record<string, string>>) {
  const names = Object.keys(expected)
  return claim(
    'env_override',
    ({ container }) => container.envOverride,
    (env) => Object.keys(env).length === names.length && names.every((it) => env[it] === expected[it]),
    (env) => `${Object.keys(env).length} variables are set, ${names.length} listed; all names and values must match`,
  )
}

function sequence(
  name: string,
  expected: readonly string[] | undefined,
  read: (claims: ConfidentialSpace) => readonly string[],
) {
  if (expected === undefined) return []
  return claim(
    name,
    read,
    (values) => values.length === expected.length && expected.every((it, index) => it === values[index]),
    (values) => `${values.length} values, ${expected.length} listed; all must match, in order`,
  )
}

function attesters(required: readonly string[] | undefined) {
  if (required === undefined) return []
  return claim(
    'attester_tcb',
    ({ attesterTcb }) => attesterTcb,
    (named) => required.every((it) => named.includes(it)),
    (named) => `${quote(named)}, must hold ${quote(required)}`,
  )
}
