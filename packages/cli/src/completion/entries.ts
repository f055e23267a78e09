import type { Command } from 'commander'
import { SERVE_OPTIONS } from '../serve/serve-flags.ts'
import { SOURCES } from '../sources/index.ts'
import { UPDATE_OPTIONS } from '../update/update-flags.ts'
import type { CompletionEntry } from './entry.ts'

const flagsOf = (...options: readonly object[]): string[] =>
  options.flatMap((it) => Object.keys(it)).map((name) => `--${name}`)

/** Everything that `hardbound` can be told, from what its commands say of themselves. */
export function completionEntries(program: Command): CompletionEntry[] {
  const sources = Object.values(SOURCES)
  const ours: CompletionEntry[] = sources.flatMap(({ cloud, name, options }) => {
    const at = name.replace(/^azure-/, '')
    const printed = cloud === 'aws' ? { ...options, cache: {} } : { ...options, scope: {} }
    return [
      { path: `${cloud} ${at}`, words: flagsOf(printed, { help: {} }) },
      { path: `serve ${name}`, words: flagsOf(options, SERVE_OPTIONS) },
      ...(cloud === 'aws' ? [{ path: `update ${name}`, words: flagsOf(options, UPDATE_OPTIONS) }] : []),
    ]
  })
  const names = sources.map(({ name }) => name)
  const special: CompletionEntry[] = [
    { path: 'serve', words: [...names, ...flagsOf({ config: {}, listen: {}, 'log-level': {}, help: {} })] },
    {
      path: 'update',
      words: [...names.filter((it) => it !== 'azure-ekm'), ...flagsOf({ config: {}, ...UPDATE_OPTIONS })],
    },
    ...ours,
  ]
  const known = new Set(special.map(({ path }) => path))
  return [...entriesOf(program, '').filter(({ path }) => !known.has(path)), ...special]
}

function entriesOf(command: Command, path: string): CompletionEntry[] {
  const words = [
    ...command.commands.map((it) => it.name()),
    ...command.options.flatMap(({ long }) => long ?? []),
    '--help',
  ]
  return [{ path, words }, ...command.commands.flatMap((it) => entriesOf(it, `${path} ${it.name()}`.trim()))]
}
