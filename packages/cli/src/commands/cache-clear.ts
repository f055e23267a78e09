import { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { cacheFolder } from '../internal/cache-folder.ts'
import { messageOf } from '../internal/process-credential.ts'
import { print, printJson } from '../output.ts'

/** `hardbound cache clear`: forgets the sessions that `--cache` keeps. */
export function cacheClearCommand(): Command {
  return new Command('clear')
    .description('remove the sessions that hardbound aws … --cache keeps on disk')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
They are in hardbound in XDG_CACHE_HOME, or in ~/.cache. Sessions are bearer tokens: AWS knows them until they end, removed or not.

Example:
  $ hardbound cache clear`,
    )
    .action(clearCache)
}

async function clearCache({ json }: { json?: boolean }): Promise<void> {
  const { processCache } = await import('@hardbound/credential-server/cache')
  const folder = cacheFolder()
  try {
    const removed = await processCache({ directory: folder }).clear()
    if (json === true) return printJson({ folder, removed })
    print(`removed ${removed} session${removed === 1 ? '' : 's'} from ${folder}`)
  } catch (cause) {
    throw new CliError(messageOf(cause), { cause })
  }
}
