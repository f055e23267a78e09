import type { Flags } from '../sources/source.ts'
import { loadProfiles } from './aws-profiles.ts'
import { brokerTargetOf } from './broker-target.ts'
import type { BrokerTarget, DoctorContext } from './context.ts'
import { readKnownLine } from './known-lines.ts'
import { shellWords } from './shell-words.ts'

const MAX_BROKERS = 4
const GO_NAME = 'aws-channel-jwt-process-credential'

/** Brokers that profiles ask, each once; and how many more there are. */
export async function brokersOf(context: DoctorContext): Promise<{ targets: BrokerTarget[]; more: number }> {
  const { profiles } = await loadProfiles(context)
  const found = new Map<string, BrokerTarget>()
  for (const { where, entries } of profiles) {
    const line = entries.get('credential_process')
    const words = line === undefined ? undefined : shellWords(line.value)?.words
    const known = words === undefined ? undefined : await readKnownLine(words)
    if (known === undefined) continue
    const target = brokerTargetOf(known.name === GO_NAME ? renamed(known.flags) : known.flags, where)
    if (target !== undefined) found.set(JSON.stringify({ ...target, where: '' }), target)
  }
  const targets = [...found.values()]
  return { targets: targets.slice(0, MAX_BROKERS), more: Math.max(0, targets.length - MAX_BROKERS) }
}

/** The drop-in's flags, in the words of `hardbound aws ekm`. */
function renamed({ endpoint, host, 'sts-sni': sni, 'trust-ca': ca, cert, key }: Flags): Flags {
  return { broker: endpoint, address: host, sni, ca, cert, key }
}
