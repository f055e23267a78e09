import { CliError } from '../cli-error.ts'
import { type CommandName, FLAGS, FLAGS_OF } from './flags.ts'

const PROGRAM = 'aws_signing_helper'
const COMMANDS = Object.keys(FLAGS_OF) as CommandName[]

/** Shells that there is a completion for. */
export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const

/** A completion script: commands, and the flags of each. After a flag that takes a value, files are offered. */
export function completionScript(shell: string): string {
  const known = SHELLS.find((it) => it === shell)
  if (known === undefined) throw new CliError(`completion is for ${SHELLS.join(', ')}`)
  return { bash, zsh, fish, powershell }[known]()
}

/** With their dashes. */
const flagsOf = (command: CommandName): string[] => [...FLAGS_OF[command].map((name) => `--${name}`), '--help'].sort()
const withValue = Object.entries(FLAGS).flatMap(([name, { kind }]) => (kind === 'bool' ? [] : [`--${name}`]))

const bashCases = (): string =>
  COMMANDS.map((it) => `    ${it}) words='${flagsOf(it).join(' ')}' ;;\n`).join('') +
  `    '') words='${COMMANDS.join(' ')}' ;;\n`

const bash = (): string => `# bash completion for ${PROGRAM}
_${PROGRAM}() {
  local words current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=
  [ "$COMP_CWORD" -gt 1 ] && command=\${COMP_WORDS[1]}
  case $previous in
    ${withValue.join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    completion) COMPREPLY=($(compgen -W '${SHELLS.join(' ')}' -- "$current")); return ;;
    help) COMPREPLY=($(compgen -W '${COMMANDS.join(' ')}' -- "$current")); return ;;
  esac
  case $command in
${bashCases()}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _${PROGRAM} ${PROGRAM}
`

const zsh = (): string => `#compdef ${PROGRAM}
_${PROGRAM}() {
  local previous=\${words[CURRENT-1]}
  case $previous in
    ${withValue.join('|')}) _files; return ;;
    completion) compadd -- ${SHELLS.join(' ')}; return ;;
    help) compadd -- ${COMMANDS.join(' ')}; return ;;
  esac
  if (( CURRENT == 2 )); then compadd -- ${COMMANDS.join(' ')}; return; fi
  case \${words[2]} in
${COMMANDS.map((it) => `    ${it}) compadd -- ${flagsOf(it).join(' ')} ;;\n`).join('')}  esac
}
if [ "\${funcstack[1]}" = "_${PROGRAM}" ]; then _${PROGRAM} "$@"; else compdef _${PROGRAM} ${PROGRAM}; fi
`

const fish = (): string =>
  [
    `# fish completion for ${PROGRAM}`,
    `complete -c ${PROGRAM} -f`,
    `complete -c ${PROGRAM} -n __fish_use_subcommand -a '${COMMANDS.join(' ')}'`,
    `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from completion' -a '${SHELLS.join(' ')}'`,
    `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from help' -a '${COMMANDS.join(' ')}'`,
    ...COMMANDS.flatMap((command) =>
      flagsOf(command).map((name) => {
        const value = withValue.includes(name) ? ' -r -F' : ''
        return `complete -c ${PROGRAM} -n '__fish_seen_subcommand_from ${command}' -l ${name.slice(2)}${value}`
      }),
    ),
    '',
  ].join('\n')

const powershell = (): string => `# powershell completion for ${PROGRAM}
Register-ArgumentCompleter -Native -CommandName '${PROGRAM}' -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $flags = @{
${COMMANDS.map((it) => `    '${it}' = '${flagsOf(it).join(' ')}'\n`).join('')}  }
  $typed = @($commandAst.CommandElements | ForEach-Object { "$_" })
  $words = if ($typed.Count -gt 1 -and $flags.ContainsKey($typed[1])) { $flags[$typed[1]] } else { '${COMMANDS.join(' ')}' }
  $words -split ' ' | Where-Object { $_ -like "$wordToComplete*" }
}
`
