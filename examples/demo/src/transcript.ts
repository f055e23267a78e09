/** Prints what happens, for a person to follow; colours only on a terminal. */
const colour = (code: number, text: string): string => (process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text)

let steps = 0

/** A new step. */
export function step(title: string): void {
  console.log(`\n${colour(1, `${++steps}. ${title}`)}`)
}

/** What is being done. */
export const doing = (text: string): void => console.log(`   ${colour(2, text)}`)

/** What came of it, as it should be. */
export const came = (text: string): void => console.log(`   ${colour(32, '\u2713')} ${text}`)

/** Lines of a file, indented. */
export function show(text: string): void {
  for (const line of text.trimEnd().split('\n')) console.log(`     ${colour(2, `\u2502 ${line}`)}`)
}
