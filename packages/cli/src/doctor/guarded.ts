import { type CheckName, type Finding, findingsOf, ownMessage } from './finding.ts'

/** Runs one check; whatever it throws becomes a finding. */
export async function guarded(check: CheckName, run: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await run()
  } catch (error) {
    const { name = 'unknown', code = '' } = error as { name?: string; code?: string }
    // The text of an error that is not ours may quote what it was given.
    const why = ownMessage(error) ?? `internal error: ${name} ${code}`.trimEnd()
    return [findingsOf(check).problem(`the check failed: ${why}`)]
  }
}
