/** What a command ends with: 0 ok, 1 failed or denied, 2 used wrongly. */
export type ExitCode = 0 | 1 | 2

/** Ends a command with one line on stderr. The message names files, flags and fields; never a value that may be secret. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  /** That of the cause, where it has one. */
  readonly code: string | undefined

  constructor(message: string, { exitCode = 1, ...options }: ErrorOptions & { exitCode?: ExitCode } = {}) {
    super(message, options)
    this.exitCode = exitCode
    const { cause } = options
    this.code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  }
}

/** An error of the one who typed the command: exit code 2. */
export const usageError = (message: string): CliError => new CliError(message, { exitCode: 2 })

/** Says to whoever used a command wrongly where its help is. Anything else is thrown as it is. */
export const withHelpOf =
  (command: string) =>
  (error: unknown): never => {
    if (!(error instanceof CliError) || error.exitCode !== 2) throw error
    throw new CliError(`${error.message}; see ${command} --help`, { cause: error, exitCode: 2 })
  }
