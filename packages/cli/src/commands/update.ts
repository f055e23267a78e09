import { Command } from 'commander'
import { withHelpOf } from '../cli-error.ts'

/** `hardbound update`: its words are those of a source, which commander does not know. */
export function updateCommand(): Command {
  return new Command('update')
    .description('keep a profile of ~/.aws/credentials current; see hardbound update --help')
    .usage('(<source> | -c <file>) [options]')
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async () => {
      const { update } = await import('../update/update.ts')
      await update(process.argv.slice(3)).catch(withHelpOf('hardbound update'))
    })
}
