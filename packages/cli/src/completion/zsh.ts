import { bashCompletion } from './bash.ts'
import type { CompletionEntry } from './entry.ts'

/** A script for zsh, which can use those of bash. */
export function zshCompletion(program: string, entries: readonly CompletionEntry[]): string {
  return `# zsh completion of ${program}: source it in ~/.zshrc
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${bashCompletion(program, entries)}`
}
