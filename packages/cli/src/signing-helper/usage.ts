import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CommandName, FLAGS, FLAGS_OF, type FlagName } from './flags.ts'
import { HELPER_VERSION } from './version.ts'

const PROGRAM = 'aws_signing_helper'
const ABOUT: Readonly<Record<CommandName, string>> = {
  completion: 'Print a completion script for bash, zsh, fish or powershell',
  'credential-process': 'Print credentials for the credential_process of AWS tools',
  help: 'Show how a command is used',
  'read-certificate-data': 'Show a certificate, or those that a selector or URI finds',
  serve: 'Serve credentials on 127.0.0.1 as the instance metadata of EC2 does (IMDSv2)',
  'sign-string': 'Try the private key: sign a fixed text',
  update: 'Keep a profile of the shared credentials file current',
  version: 'Print the version of the original that this program stands in for',
}
const LONG: Readonly<Partial<Record<CommandName | 'root', string>>> = {
  root: 'Temporary AWS credentials for a machine that has an X.509 certificate, from IAM Roles Anywhere.',
  'credential-process': `${ABOUT['credential-process']}. In ~/.aws/config:

    credential_process = aws_signing_helper credential-process --certificate … --private-key … --role-arn …`,
  completion: `${ABOUT.completion}. For this shell:

    source <(aws_signing_helper completion bash)`,
}
const WORDS: Readonly<Partial<Record<CommandName, string>>> = {
  help: ' [command] [flags]',
  completion: ' bash|zsh|fish|powershell',
}

/** What `--help` shows. */
export function helpOf(topic: CommandName | 'root'): string {
  const about = LONG[topic] ?? (topic === 'root' ? '' : ABOUT[topic])
  return `${about}\n\n${usageOf(topic)}`
}

/** How a command is used, as it follows an error. */
export function usageOf(topic: CommandName | 'root'): string {
  if (topic !== 'root') {
    return `Usage:\n  ${PROGRAM} ${topic}${WORDS[topic] ?? ' [flags]'}\n\nFlags:\n${flagLines(topic, FLAGS_OF[topic])}`
  }
  const names = (Object.keys(ABOUT) as CommandName[]).sort()
  const width = Math.max(...names.map((name) => name.length))
  const commands = names.map((name) => `  ${name.padEnd(width)} ${ABOUT[name]}\n`).join('')
  return `Usage:
  ${PROGRAM} [command] [flags]
  ${PROGRAM} [command]

Available Commands:
${commands}
Flags:
${flagLines(PROGRAM, [])}
"${PROGRAM} [command] --help" says more of a command.
Part of @hardbound/cli ${ownVersion()}; it stands in for ${PROGRAM} ${HELPER_VERSION}.
`
}

function flagLines(topic: string, names: readonly FlagName[]): string {
  const lines = [...names].map((name): [string, string] => {
    const { kind, default: value, help } = FLAGS[name]
    const isPlain = value === '' || value === false
    const shown = isPlain ? '' : ` (default ${typeof value === 'string' ? JSON.stringify(value) : value})`
    return [`--${name}${kind === 'bool' ? '' : ` ${kind}`}`, `${help}${shown}`]
  })
  const all = [...lines, ['--help', `help for ${topic}`] as const].sort(([a], [b]) => (a < b ? -1 : 1))
  const width = Math.max(...all.map(([left]) => left.length))
  return all
    .map(([left, right]) => `  ${left === '--help' ? '-h,' : '   '} ${left.padEnd(width)}   ${right}\n`)
    .join('')
}

declare const __dirname: string // of the bundle, which is CommonJS

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')) as { version: string }
  return version
}
