import { type CommandLine, parseCommandLine } from './command-line.ts'
import { failureText } from './failure.ts'
import type { CommandName } from './flags.ts'
import { log, visible, writeLog } from './log.ts'
import { secretWarnings } from './secret-warnings.ts'
import { maxAttemptsOf } from './session-init.ts'
import type { FlagsOf } from './types.ts'
import { HelperUsageError } from './usage-error.ts'
import { HELPER_VERSION } from './version.ts'

/** Runs `aws_signing_helper` on the words after its name. Results go to stdout, all else to stderr; the exit code is 0 or 1. */
export async function runSigningHelper(args: readonly string[]): Promise<void> {
  process.removeAllListeners('warning') // stderr has lines of the log only
  process.exitCode = 1 // until it is done: ending in silence must not look like success
  process.stdout.on('error', () => {
    process.exitCode = 1
    log('whoever started this does not read its output')
  })
  process.stderr.on('error', () => {}) // serve goes on without anybody who reads its log
  try {
    const result = await resultOf(parseCommandLine(args))
    if (result.length > 0) process.stdout.write(result)
    process.exitCode = 0
  } catch (error) {
    if (error instanceof HelperUsageError) await showUsage(error)
    else log(failureText(error, attempts()))
  }
}

/** What goes to stdout. What only some commands need is loaded by them: credential-process is started often. */
async function resultOf({ command, help, values, words }: CommandLine): Promise<string | Uint8Array> {
  if (help || command === undefined || command === 'help') {
    return showHelp(command === 'help' && !help ? words[0] : command)
  }
  for (const warning of secretWarnings(values)) log(warning)
  switch (command) {
    case 'credential-process':
      return (await import('./credential-process.ts')).credentialProcess(flagsOf(command, values))
    case 'serve':
      await (await import('./serve.ts')).serve(flagsOf(command, values))
      return ''
    case 'update':
      await (await import('./update.ts')).update(flagsOf(command, values))
      return ''
    case 'sign-string':
      return (await import('./sign-string.ts')).signString(flagsOf(command, values))
    case 'read-certificate-data':
      return (await import('./read-certificate-data.ts')).readCertificateDataText(flagsOf(command, values))
    case 'version':
      return `${HELPER_VERSION}\n`
    case 'completion':
      return completion(words)
  }
}

/** The table that made the values also made their type. */
const flagsOf = <C extends CommandName>(_: C, values: CommandLine['values']): FlagsOf<C> =>
  values as unknown as FlagsOf<C>

async function completion([shell, ...more]: readonly string[]): Promise<string> {
  const { completionScript, SHELLS } = await import('./completion.ts')
  if (shell === undefined) return (await import('./usage.ts')).helpOf('completion')
  if (SHELLS.every((it) => it !== shell) || more.length > 0) {
    throw new HelperUsageError(`completion is for one of ${SHELLS.join(', ')}`, 'completion')
  }
  return completionScript(shell)
}

async function showHelp(topic: string | undefined): Promise<string> {
  const { helpOf, usageOf } = await import('./usage.ts')
  const { FLAGS_OF } = await import('./flags.ts')
  if (topic === undefined) return helpOf('root')
  if (Object.hasOwn(FLAGS_OF, topic)) return helpOf(topic as CommandName)
  process.stderr.write(`Unknown help topic [\`${visible(topic)}\`]\n${usageOf('root')}`)
  return ''
}

async function showUsage({ message, usage }: HelperUsageError): Promise<void> {
  const { usageOf } = await import('./usage.ts')
  const how = usage === undefined ? "Run 'aws_signing_helper --help' for usage." : usageOf(usage)
  process.stderr.write(`Error: ${visible(message)}\n${how}\n`)
  writeLog(message)
}

function attempts(): number {
  try {
    return maxAttemptsOf(process.env)
  } catch {
    return 3
  }
}
