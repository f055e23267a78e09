import { type CompletionEntry, commandsOf } from './entry.ts'

/** A script for fish 3 or newer. Where a value is expected, it offers files. */
export function fishCompletion(program: string, entries: readonly CompletionEntry[]): string {
  const name = `__${program.replace(/\W/g, '_')}_at`
  const lines = entries.flatMap(({ path, words }) => {
    const when = `-n "${name} '${path}'"`
    const commands = words.filter((it) => !it.startsWith('-'))
    const flags = words
      .filter((it) => it.startsWith('--'))
      .map((it) => `complete -c ${program} ${when} -l ${it.slice(2)}`)
    return [...(commands.length > 0 ? [`complete -c ${program} ${when} -f -a '${commands.join(' ')}'`] : []), ...flags]
  })
  return `# fish completion of ${program}: put it into ~/.config/fish/completions/${program}.fish
function ${name}
  set -l path ''
  for word in (string match -v -- '-*' (commandline -opc)[2..])
    set -l next (string trim -- "$path $word")
    contains -- $next ${commandsOf(entries)
      .map((it) => `'${it}'`)
      .join(' ')}; and set path $next
  end
  test "$path" = "$argv[1]"
end
${lines.join('\n')}
`
}
