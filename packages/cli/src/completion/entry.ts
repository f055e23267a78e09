/** What may follow some words of a command line. */
export interface CompletionEntry {
  /** The words before, without flags: `aws ekm`; empty for the program itself. */
  readonly path: string
  /** Names of commands, and of flags with their hyphens. */
  readonly words: readonly string[]
}
