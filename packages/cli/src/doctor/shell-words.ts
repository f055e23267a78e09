/** A command line, as words. */
export interface ShellWords {
  readonly words: string[]
  /**
   * A shell would make something else of it: `$`, `;`, `*` … stand where they mean something. The AWS CLI, boto3 and most SDKs run no
   * shell; those for JavaScript and Go do.
   */
  readonly meansMoreToShell: boolean
}

/**
 * Splits a line as the AWS CLI does on POSIX systems (Python's `shlex.split`).
 *
 * @returns `undefined` where a quotation does not end.
 */
export function shellWords(line: string): ShellWords | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  let more = false
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at)
    if (quote === "'") {
      if (char === quote) quote = ''
      else word += char
    } else if (char === '\\') {
      const next = line.charAt(++at)
      if (next === '') return undefined
      // Between double quotes it is itself, but before a quote and another one.
      word = (word ?? '') + (quote === '"' && next !== '"' && next !== '\\' ? char + next : next)
    } else if (quote === '"') {
      if (char === quote) quote = ''
      else word += char
      more ||= char === '$' || char === '`'
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/[ \t\r\n]/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      more ||= /[$`;&|<>()*?[\]]/.test(char) || (word === undefined && /[~#]/.test(char))
      word = (word ?? '') + char
    }
  }
  if (quote !== '') return undefined
  if (word !== undefined) words.push(word)
  return { words, meansMoreToShell: more }
}
