/** Results, and nothing else, go to stdout. */
export function print(text: string): void {
  process.stdout.write(`${visible(text)}\n`)
}

/** Prints a result for scripts: JSON, indented by two spaces. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

/** Everything that is not the result goes to stderr, one line each. */
export function note(text: string): void {
  process.stderr.write(`hardbound: ${visible(text).replaceAll('\n', ' ')}\n`)
}

/**
 * Replaces what a terminal would act on or show as something else: control characters but line feeds, and marks that turn
 * the direction of text. Tokens and files come from elsewhere. In JSON these stand in strings only, where `\u` may.
 */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (it) =>
    it === '\n' ? it : it.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}
