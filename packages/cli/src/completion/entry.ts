/** What may follow some words of a command line. */
export interface CompletionEntry {
  /** The words before, without flags: `aws ekm`; empty for the program itself. */
  readonly path: string
  /** Names of commands, and of flags with their hyphens. */
  readonly words: readonly string[]
}

/** All commands there are, each with those before it: `aws`, `aws ekm`. */
export const commandsOf = (entries: readonly CompletionEntry[]): string[] =>
  entries.flatMap(({ path, words }) =>
    words.filter((it) => !it.startsWith('-')).map((it) => [path, it].filter(Boolean).join(' ')),
  )
