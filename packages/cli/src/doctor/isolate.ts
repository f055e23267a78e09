import { fork } from 'node:child_process'
import type { Isolate, ProbeInputs } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'
import { CHECK_OF } from './probes.ts'

/**
 * Has probes done each in a process of its own, which is ended when its time is over: neither a driver that hangs nor a module that
 * crashes takes anything else with it.
 *
 * @param file The compiled probe-process.ts.
 * @param timeoutMs For one probe.
 */
export function isolated(file: string, timeoutMs: number): Isolate {
  return (probe, input) =>
    new Promise((resolve) => {
      const { problem } = findingsOf(CHECK_OF[probe])
      const what = nameOf(probe, input)
      // Modules may write to stdout, which is for the result.
      const child = fork(file, [String(timeoutMs + 1_000)], {
        execArgv: [],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      })
      const orphan = (): void => void child.kill('SIGKILL') // one that hangs would not notice that we have gone
      process.once('exit', orphan)
      const settle = (findings: Finding[]): void => {
        clearTimeout(timer)
        child.removeAllListeners()
        child.on('error', () => {})
        child.kill('SIGKILL')
        process.off('exit', orphan)
        child.unref()
        if (child.connected) child.disconnect()
        resolve(findings)
      }
      const timer = setTimeout(
        () => settle([problem(`${what} does not answer within ${timeoutMs / 1000} s`)]),
        timeoutMs,
      )
      child.once('message', (findings) => settle(findings as Finding[]))
      child.once('error', () => settle([problem(`${what} was not looked at: no process could be started`)]))
      child.once('exit', (_, signal) =>
        settle([problem(`${what} crashed the process that looked at it${signal === null ? '' : ` (${signal})`}`)]),
      )
      child.send({ probe, input })
    })
}

function nameOf(probe: keyof ProbeInputs, input: object): string {
  if ('address' in input && probe === 'tpm') return String(input.address)
  if (probe === 'pkcs11-module') return 'path' in input ? String(input.path) : 'p11-kit'
  return probe === 'clock' ? 'the server that has the time' : 'the broker'
}
