import type { ProbeInputs } from './context.ts'
import type { CheckName, Finding } from './finding.ts'
import { guarded } from './guarded.ts'

/** Which check a probe is part of. */
export const CHECK_OF: Readonly<Record<keyof ProbeInputs, CheckName>> = {
  tpm: 'tpm',
  'pkcs11-module': 'pkcs11',
  clock: 'clock',
  broker: 'broker',
}

/**
 * Does one probe in this process. It does not throw.
 *
 * @param input What {@link ProbeInputs} has for it.
 */
export async function probe<P extends keyof ProbeInputs>(name: P, input: ProbeInputs[P]): Promise<Finding[]> {
  return guarded(CHECK_OF[name], () => PROBES[name](input))
}

type Probes = { readonly [P in keyof ProbeInputs]: (input: ProbeInputs[P]) => Promise<Finding[]> }
const PROBES: Probes = {
  tpm: async (input) => (await import('./tpm-probe.ts')).probeTpm(input),
  'pkcs11-module': async (input) => (await import('./pkcs11-probe.ts')).probeModule(input),
  clock: async (input) => (await import('./clock-probe.ts')).probeClock(input),
  broker: async (input) => (await import('./broker-probe.ts')).probeBroker(input),
}
