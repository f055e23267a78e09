import type { CommandName, FlagName } from './flags.ts'

type Pair = readonly [FlagName, FlagName]

// Each pair in the original's order, as its message has it.
const OF_SIGNERS: readonly Pair[] = [
  ['certificate', 'cert-selector'],
  ['certificate', 'system-store-name'],
  ['private-key', 'cert-selector'],
  ['private-key', 'system-store-name'],
  ['private-key', 'use-latest-expiring-certificate'],
  ['use-latest-expiring-certificate', 'reuse-pin'],
  ['cert-selector', 'reuse-pin'],
  ['system-store-name', 'reuse-pin'],
  ['tpm-key-password', 'cert-selector'],
  ['tpm-key-password', 'reuse-pin'],
  ['no-tpm-key-password', 'cert-selector'],
  ['no-tpm-key-password', 'tpm-key-password'],
  ['pkcs8-password', 'tpm-key-password'],
]
const OF_SESSIONS: readonly Pair[] = [
  ...OF_SIGNERS,
  ['use-latest-expiring-certificate', 'intermediates'],
  ['cert-selector', 'intermediates'],
]
const EXCLUSIVE: Readonly<Record<CommandName, readonly Pair[]>> = {
  'credential-process': OF_SESSIONS,
  'read-certificate-data': OF_SIGNERS.slice(0, 2),
  serve: OF_SESSIONS,
  'sign-string': [...OF_SIGNERS, ['no-tpm-key-password', 'reuse-pin']],
  update: OF_SESSIONS,
  version: [],
  help: [],
  completion: [],
}

/** What the original says of two flags that exclude each other: of the pair whose names come first in the alphabet. */
export function exclusiveFlags(command: CommandName, typed: ReadonlySet<FlagName>): string | undefined {
  const [pair] = EXCLUSIVE[command]
    .filter((names) => names.every((name) => typed.has(name)))
    .sort((a, b) => (a.join(' ') < b.join(' ') ? -1 : 1))
  if (pair === undefined) return undefined
  const set = [...pair].sort().join(' ')
  return `if any flags in the group [${pair.join(' ')}] are set none of the others can be; [${set}] were all set`
}
