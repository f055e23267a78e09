import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface ChildOptions {
  env?: Record<string, string>
  uid?: number
  /** Default: 25 seconds. */
  timeoutMs?: number
}

/** Runs a program of `fixtures/`, with this environment and no other, and reads the JSON that it prints. */
export async function runFixture<T>(
  name: string,
  args: readonly string[],
  { env = {}, uid, timeoutMs = 25_000 }: ChildOptions = {},
): Promise<T> {
  const file = fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))
  // Another user may not be able to read our files.
  const program = uid === undefined ? [file] : ['--input-type=module', '-e', await readFile(file, 'utf8'), '--', name]
  const { stdout } = await promisify(execFile)(process.execPath, [...program, ...args], {
    env,
    timeout: timeoutMs,
    ...(uid === undefined ? {} : { uid, gid: uid, cwd: '/' }),
  })
  return JSON.parse(stdout) as T
}
