import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Which process it is, in a form that no later process shares. */
export interface ProcessMark {
  /** Machine, boot and PID namespace: where `pid` means something. Letters, digits. */
  readonly place: string
  readonly pid: number
  /** When it started, in ticks since boot; `0` where the system does not tell. */
  readonly start: string
}

/** This process. */
export function ownMark(): ProcessMark {
  return { place: ownPlace(), pid: process.pid, start: statOf(process.pid)?.start ?? '0' }
}

/** Whether it runs still. `unknown` for processes of other machines and containers, and where start times are not told. */
export function stateOf({ place, pid, start }: ProcessMark): 'alive' | 'dead' | 'unknown' {
  if (place !== ownPlace()) return 'unknown'
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead'
  }
  if (start === '0') return pid === process.pid ? 'alive' : 'unknown'
  const stat = statOf(pid)
  if (stat === undefined) return 'alive' // it exists, and is hidden from us
  return stat.start === start && !'ZX'.includes(stat.state) ? 'alive' : 'dead'
}

function ownPlace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)
    return `${boot}${readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')}`
  } catch {
    return Buffer.from(hostname()).toString('hex').slice(0, 32) || 'unknown'
  }
}

/** proc(5): the name, in parentheses, may hold anything; after it come the state (3) and the start time (22). */
function statOf(pid: number): { state: string; start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [state, start] = [fields[0], fields[19]]
    return state === undefined || start === undefined ? undefined : { state, start }
  } catch {
    return undefined
  }
}
