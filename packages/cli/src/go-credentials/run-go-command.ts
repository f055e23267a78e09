import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CliError } from '../cli-error.ts'
import { type ProcessCredential, processOutputOf, runCredentialCommand, say } from '../internal/process-credential.ts'
import { type GoFlags, type GoValues, goUsage, parseGoFlags } from './go-flags.ts'

/** A drop-in for a credential process that is written in Go. */
export interface GoCommand<F extends GoFlags> {
  /** Of the original. */
  readonly name: string
  readonly flags: F
  /** @throws {CliError}, or an error with an `ERR_…` code whose message may be shown. */
  readonly provide: (values: GoValues<F>, hints: GoHints) => Promise<ProcessCredential>
}

/** What else a command may want to know, and say. */
export interface GoHints {
  /** Names of flags that stood in the command line. */
  readonly given: ReadonlySet<string>
  /** One line on stderr, without any secret. */
  readonly warn: (message: string) => void
}

/** Flag of every command. */
export const VERSION_FLAG = { version: { type: 'bool', usage: 'print the version, and end' } } as const

/**
 * Runs a command as the original would: keys on stdout; on stderr one line of why not, exit code 1; usage on stderr for `-h` (0) and after a
 * flag that can't be right (2).
 */
export async function runGoCommand<const F extends GoFlags & typeof VERSION_FLAG>(
  { name, flags, provide }: GoCommand<F>,
  args: readonly string[],
): Promise<void> {
  const parsed = parseGoFlags(args, flags)
  if (parsed.kind !== 'values') {
    const why = parsed.kind === 'wrong' ? `${parsed.why.replace(/\p{C}+/gu, ' ')}\n` : ''
    process.stderr.write(why + goUsage(name, flags))
    process.exitCode = parsed.kind === 'wrong' ? 2 : 0
    return
  }
  if (parsed.values.version) {
    process.stdout.write(`Version: ${versionOfPackage()} (hardbound)\n`)
    return
  }
  const hints = { given: parsed.given, warn: (message: string) => say(name, `warning: ${message}`) }
  await runCredentialCommand(
    {
      command: name,
      help: '',
      parse: () => ({}),
      provide: () => provide(parsed.values, hints).catch(endWith1),
    },
    [],
    outputOf,
  )
}

/** Beyond the form of flags, the originals know no other exit code. */
function endWith1(cause: unknown): never {
  throw cause instanceof CliError ? new CliError(cause.message, { cause }) : cause
}

/** Whole seconds, as the originals print them. */
const outputOf = (credential: ProcessCredential): object => ({
  ...processOutputOf(credential),
  Expiration: credential.expiration?.toISOString().replace(/\.\d+Z$/, 'Z'),
})

declare const __dirname: string // of the bundle, which is CommonJS

function versionOfPackage(): string {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')) as { version: string }
  return version
}
