import { type CompletionEntry, commandsOf } from './entry.ts'

/** A script for bash 4 or newer. Where a value is expected, and nothing else fits, it offers files. */
export function bashCompletion(program: string, entries: readonly CompletionEntry[]): string {
  const name = `_${program.replace(/\W/g, '_')}`
  return `# bash completion of ${program}: source it, or put it into /usr/share/bash-completion/completions/${program}
${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} path= next= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next=\${path:+$path }$word
    case "$next" in
      ${commandsOf(entries)
        .map((it) => `'${it}'`)
        .join('|')}) path=$next ;;
    esac
  done
  case "$path" in
${entries.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F ${name} ${program}
`
}
