import type { DoctorContext } from './context.ts'
import { brokersOf } from './find-brokers.ts'
import type { Finding } from './finding.ts'

const STS = 'https://sts.amazonaws.com/'

/** This machine's clock, against somebody else's: that of `--date-from`, the broker or STS. */
export async function clockCheck(context: DoctorContext): Promise<Finding[]> {
  const { offline, broker, dateFrom, ca } = context.options
  if (offline) return []
  if (dateFrom === undefined && broker !== undefined) return context.isolate('clock', { broker })
  // A machine with a broker need not reach AWS.
  const [configured] = dateFrom === undefined ? (await brokersOf(context)).targets : []
  if (configured !== undefined) return context.isolate('clock', { broker: configured })
  return context.isolate('clock', { url: dateFrom ?? STS, ...(ca === undefined ? {} : { ca }) })
}
