import { Command } from 'commander'
import { withHelpOf } from '../cli-error.ts'

/** `hardbound serve`: its words are those of a source, which commander does not know. */
export function serveCommand(): Command {
  return new Command('serve')
    .description(
      'serve credentials to every program on this machine, as EC2, ECS and Azure do; see hardbound serve --help',
    )
    .usage('(<source> | -c <file>) [options]')
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async () => {
      const { serve } = await import('../serve/serve.ts')
      await serve(process.argv.slice(3)).catch(withHelpOf('hardbound serve'))
    })
}
