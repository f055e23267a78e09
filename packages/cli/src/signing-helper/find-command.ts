import { type CommandName, FLAGS_OF } from './flags.ts'
import { goQuote } from './go-values.ts'
import { HelperUsageError } from './usage-error.ts'

/** Commands in the order in which they are suggested. */
const COMMANDS = Object.keys(FLAGS_OF) as CommandName[]

/**
 * Finds the command: the first word that is neither a flag nor, as the original sees it, the value of one. A flag before the command
 * is taken to have the next word as its value unless that is joined by `=`.
 *
 * @returns What is left is the command's.
 * @throws {HelperUsageError} on a word that is no command.
 */
export function findCommand(args: readonly string[]): { command: CommandName | undefined; rest: readonly string[] } {
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? ''
    if (word === '--') break
    if (takesNext(word)) at++
    else if (word !== '' && !word.startsWith('-')) {
      const command = COMMANDS.find((it) => it === word)
      if (command === undefined) throw new HelperUsageError(unknownCommand(word))
      return { command, rest: [...args.slice(0, at), ...args.slice(at + 1)] }
    }
  }
  return { command: undefined, rest: args }
}

const takesNext = (word: string): boolean =>
  !word.includes('=') && (word.startsWith('--') || (word.startsWith('-') && word.length === 2))

function unknownCommand(word: string): string {
  const near = COMMANDS.filter((it) => it !== 'help').filter(
    (it) => it.startsWith(word.toLowerCase()) || distance(it, word.toLowerCase()) <= 2,
  )
  const message = `unknown command ${goQuote(word)} for "aws_signing_helper"`
  return near.length === 0 ? message : `${message}\n\nDid you mean this?\n${near.map((it) => `\t${it}\n`).join('')}`
}

/** Levenshtein's. A word that is much longer is not looked at. */
function distance(a: string, b: string): number {
  if (b.length > a.length + 2) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
