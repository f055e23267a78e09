import type { DoctorContext } from './context.ts'
import { brokersOf } from './find-brokers.ts'
import { type Finding, findingsOf } from './finding.ts'

const { warning, absent } = findingsOf('broker')

/** The broker of `--broker`, else those that the lines of `~/.aws/config` name. */
export async function brokerCheck(context: DoctorContext): Promise<Finding[]> {
  const { offline, broker } = context.options
  if (offline) return []
  if (broker !== undefined) return context.isolate('broker', broker)
  const { targets, more } = await brokersOf(context)
  if (targets.length === 0) return [absent('no broker: none was given with --broker, and no profile names one')]
  const findings = await Promise.all(targets.map((it) => context.isolate('broker', it)))
  return [
    ...findings.flat(),
    ...(more === 0 ? [] : [warning(`${more} more brokers are named by profiles, and were not looked at`)]),
  ]
}
