// A process of its own for one probe: see isolate.ts. It ends with the one that started it, or after so many milliseconds.
import { Worker } from 'node:worker_threads'
import type { ProbeInputs } from './context.ts'
import { probe } from './probes.ts'

// On another thread: a module that hangs has this one.
const WATCHDOG = `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${Number(process.argv[2])})`
new Worker(WATCHDOG, { eval: true }).unref()

process.once('disconnect', () => process.exit(1))
process.once('message', (asked: { probe: keyof ProbeInputs; input: ProbeInputs[keyof ProbeInputs] }) => {
  void probe(asked.probe, asked.input as never).then((findings) => process.send?.(findings))
})
