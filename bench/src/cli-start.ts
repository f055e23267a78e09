import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type Benchmark, median, rounded } from './row.ts'

const ROUNDS = 31
export const HARDBOUND = join(
  dirname(createRequire(import.meta.url).resolve('@hardbound/cli/package.json')),
  'bin/hardbound.cjs',
)

/** Starting `hardbound aws ekm` up to its first use of the network, which a missing CA file prevents, against `node -e 0`. */
export const cliStart: Benchmark = {
  name: 'cli-start',
  run() {
    const flags = [
      '--broker',
      'https://broker.example.com',
      '--audience',
      'https://broker.example.com',
      '--ca',
      '/nonexistent/ca.pem',
    ]
    const ours = () => milliseconds([HARDBOUND, 'aws', 'ekm', ...flags], [1, 2])
    const floor = () => milliseconds(['-e', '0'], [0])
    ours()
    floor()
    const values: number[] = []
    const floors: number[] = []
    const differences: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const [a, b] = [ours(), floor()]
      values.push(a)
      floors.push(b)
      differences.push(a - b)
    }
    const difference = rounded(median(differences), 1)
    return Promise.resolve({
      name: 'cli-start aws ekm',
      value: rounded(median(values), 1),
      unit: 'ms',
      against: rounded(median(floors), 1),
      peer: 'node -e 0',
      ratio: difference,
      goal: '<= +20 ms',
      pass: difference <= 20,
    })
  },
}

function milliseconds(args: string[], statuses: number[]): number {
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const elapsed = performance.now() - start
  if (!statuses.includes(status ?? -1)) throw new Error(`exit ${status}: ${stderr.toString()}`)
  return elapsed
}
