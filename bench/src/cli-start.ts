import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type Benchmark, median, type Row, rounded } from './row.ts'

const ROUNDS = 31
export const HARDBOUND = join(
  dirname(createRequire(import.meta.url).resolve('@hardbound/cli/package.json')),
  'bin/hardbound.cjs',
)
const BROKER = ['--broker', 'https://broker.example.com', '--audience', 'https://broker.example.com']
const MODULE = '/usr/lib/nonexistent/module.so'
const SESSION = ['--access-key-id', 'AKIAIOSFODNN7EXAMPLE', '--region', 'eu-west-1']

const ARN = 'arn:aws:rolesanywhere:eu-west-1:111122223333'
const ID = '41c1a0be-6783-40d4-ab20-65dc5d922e45'
const ANYWHERE = [
  ...['--trust-anchor-arn', `${ARN}:trust-anchor/${ID}`, '--profile-arn', `${ARN}:profile/${ID}`],
  ...['--role-arn', 'arn:aws:iam::111122223333:role/reader'],
]

/** A command up to the first thing outside that it needs and that is not there, against `node -e 0`. */
function start(command: string, flags: readonly string[]): Row {
  const ours = () => milliseconds([HARDBOUND, ...command.split(' '), ...flags], 1)
  const floor = () => milliseconds(['-e', '0'], 0)
  ours()
  floor()
  const values: number[] = []
  const floors: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    values.push(ours())
    floors.push(floor())
  }
  const difference = rounded(median(values.map((value, i) => value - floors[i]!)), 1)
  return {
    name: `cli-start ${command}`,
    value: rounded(median(values), 1),
    unit: 'ms',
    against: rounded(median(floors), 1),
    peer: 'node -e 0',
    ratio: difference,
    goal: '<= +20 ms',
    pass: difference <= 20,
  }
}

const benchmark = (run: () => Row): Benchmark => ({ name: 'cli-start', run: () => Promise.resolve(run()) })

export const cliStart: readonly Benchmark[] = [
  benchmark(() => start('aws ekm', [...BROKER, '--ca', '/nonexistent/ca.pem'])),
  benchmark(() => start('aws tpm', [...SESSION, '--tpm', 'unix:/nonexistent/tpm', '--handle', '0x81010001'])),
  benchmark(() => start('aws pkcs11', [...SESSION, '--uri', `pkcs11:object=aws?module-path=${MODULE}`])),
  benchmark(() => start('aws kms', [...SESSION, '--envelope', '/nonexistent/envelope.json'])),
  benchmark(() => start('aws roles-anywhere', [...ANYWHERE, '--certificate', '/nonexistent/certificate.pem'])),
  benchmark(() =>
    start('azure ekm', [...BROKER, '--scope', 'https://x.example.com/.default', '--ca', '/nonexistent/ca.pem']),
  ),
]

function milliseconds(args: string[], expected: number): number {
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const elapsed = performance.now() - start
  if (status !== expected) throw new Error(`exit ${status}: ${stderr.toString()}`)
  return elapsed
}
