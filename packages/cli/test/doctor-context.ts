import type { DoctorContext, DoctorOptions } from '../src/doctor/context.ts'
import type { Finding } from '../src/doctor/finding.ts'
import { probe } from '../src/doctor/probes.ts'

/** A machine on which there is nothing; probes run in this process. */
export function contextOf(
  options: Partial<DoctorOptions> = {},
  changes: Partial<Omit<DoctorContext, 'options'>> = {},
): DoctorContext {
  return {
    options: { offline: false, modules: [], ...options },
    env: { PATH: '/usr/bin:/bin' },
    home: '/nonexistent',
    nodeVersion: '24.1.0',
    now: () => Date.parse('2026-11-22'),
    isolate: probe,
    ...changes,
  }
}

/** `warning: what it says`, one line for each. */
export const lines = (findings: readonly Finding[]): string[] => findings.map((it) => `${it.status}: ${it.message}`)
