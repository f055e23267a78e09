import { promptSecret } from '../internal/prompt-secret.ts'

/**
 * Asks on the terminal, for a library that copies the answer when it gets it. What was typed is zeroed after that.
 *
 * @throws {CliError} where there is no terminal.
 */
export async function askSecret(name: string): Promise<Buffer> {
  const typed = await promptSecret(name)
  setImmediate(() => typed.fill(0)) // who awaits it comes first
  return typed
}
