import type { CommandName, FlagName } from './flags.ts'

const ARNS: readonly FlagName[] = ['role-arn', 'profile-arn', 'trust-anchor-arn']
const IDENTITY: readonly FlagName[] = ['certificate', 'private-key', 'cert-selector']
const NEEDED: Readonly<Partial<Record<CommandName, readonly FlagName[]>>> = {
  'credential-process': ARNS,
  serve: ARNS,
  update: ARNS,
}

/** Flags that a command can't do without, and that have no value. Of certificate, key and selector one is enough. */
export function missingFlags(command: CommandName, values: Readonly<Record<string, unknown>>): FlagName[] {
  const isMissing = (name: FlagName): boolean => values[name] === undefined || values[name] === ''
  const identity: FlagName[] = 'certificate' in values && IDENTITY.every(isMissing) ? ['certificate'] : []
  return [...(NEEDED[command] ?? []).filter(isMissing), ...identity]
}

/** ARNs that are missing. */
export const missingArns = (values: Readonly<Record<string, unknown>>): FlagName[] =>
  ARNS.filter((name) => values[name] === '')
