import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { endAnyway } from '../internal/end-anyway.ts'
import { print, printJson } from '../output.ts'
import { awsConfigCheck } from './aws-config-check.ts'
import { brokerCheck } from './broker-check.ts'
import { clockCheck } from './clock-check.ts'
import type { Check, DoctorContext, DoctorOptions } from './context.ts'
import { CHECKS, type CheckName, type Finding, findingsOf } from './finding.ts'
import { guarded } from './guarded.ts'
import { isolated } from './isolate.ts'
import { launcherCheck } from './launcher-check.ts'
import { nodeCheck } from './node-check.ts'
import { pkcs11Check } from './pkcs11-check.ts'
import { asJson, asText, hasProblem } from './report.ts'
import { tpmCheck } from './tpm-check.ts'

const CHECK_OF: Readonly<Record<CheckName, Check>> = {
  node: nodeCheck,
  launcher: launcherCheck,
  tpm: tpmCheck,
  pkcs11: pkcs11Check,
  clock: clockCheck,
  broker: brokerCheck,
  'aws-config': awsConfigCheck,
}
const PROBE_MS = 8_000
const CHECK_MS = 9_000

/** Runs all checks at once, prints what they have seen, and sets the exit code: 1 where there is a problem. */
export async function runDoctor(options: DoctorOptions, json: boolean): Promise<void> {
  const context: DoctorContext = {
    options,
    env: process.env,
    home: process.env.HOME ?? homedir(),
    nodeVersion: process.versions.node,
    now: Date.now,
    isolate: isolated(fileURLToPath(new URL('./probe-process.js', import.meta.url)), PROBE_MS),
  }
  const findings = await allFindings(context)
  if (json) printJson(asJson(findings))
  else print(asText(findings))
  process.exitCode = hasProblem(findings) ? 1 : 0
  endAnyway() // a file on a server that is gone keeps its thread
}

/** In the order of {@link CHECKS}, however long each takes. */
export async function allFindings(context: DoctorContext, checks = CHECK_OF, timeoutMs = CHECK_MS): Promise<Finding[]> {
  const all = CHECKS.map((name) => inTime(name, timeoutMs, () => guarded(name, () => checks[name](context))))
  return (await Promise.all(all)).flat()
}

function inTime(name: CheckName, timeoutMs: number, run: () => Promise<Finding[]>): Promise<Finding[]> {
  return new Promise((resolve) => {
    const late = findingsOf(name).problem(`the check did not end within ${timeoutMs / 1000} s`)
    const timer = setTimeout(() => resolve([late]), timeoutMs)
    void run().then((findings) => {
      clearTimeout(timer)
      resolve(findings)
    })
  })
}
