import type { AwsSource, Flags } from '../sources/source.ts'
import { endAnyway } from './end-anyway.ts'
import { flag, help, parseFlags } from './flags.ts'
import { type ProcessCredential, runProcessCredential, say } from './process-credential.ts'

/** `hardbound aws <name>`: prints one session of a source, or the one that is kept on disk. */
export async function runAwsSource(source: AwsSource): Promise<void> {
  const command = `hardbound aws ${source.name}`
  const warn = (message: string): void => say(command, `warning: ${message}`)
  const parse = (args: string[]) => parseFlags(args, { ...source.options, cache: flag, help })

  const provide = async ({ cache, help: _, ...given }: ReturnType<typeof parse>) => {
    const flags = given as Flags
    if (cache !== true) return provideOnce(source, flags, warn)
    const { throughCache } = await import('./through-cache.ts')
    return throughCache(source, flags, () => provideOnce(source, flags, warn), warn)
  }
  await runProcessCredential({ command, help: source.help, parse, provide }, process.argv.slice(4))
  endAnyway()
}

async function provideOnce(
  source: AwsSource,
  flags: Flags,
  warn: (message: string) => void,
): Promise<ProcessCredential> {
  const { provide, close } = await source.open(flags, warn)
  try {
    return await provide()
  } finally {
    close().catch(() => {}) // a device that hangs is not waited for with what there is to say
  }
}
