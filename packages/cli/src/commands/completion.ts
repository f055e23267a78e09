import { Argument, Command } from 'commander'

/** `hardbound completion`: what shells complete its words with. */
export function completionCommand(): Command {
  return new Command('completion')
    .description('print a script with which a shell completes commands and flags')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
Examples:
  $ hardbound completion bash > /etc/bash_completion.d/hardbound
  $ hardbound completion fish > ~/.config/fish/completions/hardbound.fish
  $ echo 'source <(hardbound completion zsh)' >> ~/.zshrc`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish', _, command: Command) => {
      const [{ completionEntries }, { bashCompletion }, { zshCompletion }, { fishCompletion }] = await Promise.all([
        import('../completion/entries.ts'),
        import('../completion/bash.ts'),
        import('../completion/zsh.ts'),
        import('../completion/fish.ts'),
      ])
      const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }
      process.stdout.write(scripts[shell]('hardbound', completionEntries(command.parent ?? command)))
    })
}
