import type { CommandName } from './flags.ts'

/** A command line that can't be right. It is shown with how it should be: exit code 1, as the original's. */
export class HelperUsageError extends Error {
  override readonly name = 'HelperUsageError'
  /** Whose usage to show; `undefined` for a word that is no command, where the way to `--help` is shown instead. */
  readonly usage: CommandName | 'root' | undefined

  constructor(message: string, usage?: CommandName | 'root') {
    super(message)
    this.usage = usage
  }
}
