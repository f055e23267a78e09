import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'

/** Runs a server under test on the first core alone, where the machine can do that; the load comes from the others. */
export async function startServer(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ child: ChildProcess; port: number }> {
  const pinned = existsSync('/usr/bin/taskset') && availableParallelism() > 1
  const [command, ...rest] = pinned
    ? ['/usr/bin/taskset', '-c', '0', process.execPath, ...args]
    : [process.execPath, ...args]
  const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH, ...env } })
  for await (const line of createInterface({ input: child.stderr })) {
    const port = /"port":(\d+)/.exec(line)?.[1]
    if (port !== undefined) {
      child.stderr.resume()
      return { child, port: Number(port) }
    }
    process.stderr.write(`${line}\n`)
  }
  throw new Error(`${args[0]} did not start`)
}

/** Ends a server, and waits until it has. */
export async function stopServer({ child }: { child: ChildProcess }): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}
