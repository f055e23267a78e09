import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type Benchmark, median, type Row, rounded } from './row.ts'

const ROUNDS = 31
/** A bundle of authorities in AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS is read at each start, which is no cost of ours. */
const ENV = { PATH: process.env.PATH }
const BIN = join(dirname(createRequire(import.meta.url).resolve('@hardbound/cli/package.json')), 'bin')
export const HARDBOUND = join(BIN, 'hardbound.cjs')
const BROKER = ['--broker', 'https://broker.example.com', '--audience', 'https://broker.example.com']
const MODULE = '/usr/lib/nonexistent/module.so'
const SESSION = ['--access-key-id', 'AKIAIOSFODNN7EXAMPLE', '--region', 'eu-west-1']

const GO_SESSION = ['-aws-access-key-id', 'AKIAIOSFODNN7EXAMPLE', '-aws-region', 'eu-west-1']
const PKCS_URI = `pkcs11:slot=0;object=aws;id=01?module-path=${MODULE}&pin-value=1234`
const ARN = 'arn:aws:rolesanywhere:eu-west-1:111122223333'
const ID = '41c1a0be-6783-40d4-ab20-65dc5d922e45'
const ANYWHERE = [
  ...['--trust-anchor-arn', `${ARN}:trust-anchor/${ID}`, '--profile-arn', `${ARN}:profile/${ID}`],
  ...['--role-arn', 'arn:aws:iam::111122223333:role/reader'],
]

/** A command up to the first thing outside that it needs and that is not there, against `node -e 0`. */
function start(name: string, command: readonly string[]): Row {
  const ours = () => milliseconds([...command], 1)
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
    name: `cli-start ${name}`,
    value: rounded(median(values), 1),
    unit: 'ms',
    against: rounded(median(floors), 1),
    peer: 'node -e 0',
    ratio: difference,
    goal: '<= +20 ms',
    pass: difference <= 20,
  }
}

const benchmark = (name: string, command: readonly string[]): Benchmark => ({
  name: 'cli-start',
  run: () => Promise.resolve(start(name, command)),
})
const hardbound = (name: string, flags: readonly string[]): Benchmark =>
  benchmark(name, [HARDBOUND, ...name.split(' '), ...flags])
/** In place of another program, with that one's flags. */
const dropIn = (name: string, flags: readonly string[]): Benchmark =>
  benchmark(name, [join(BIN, `${name}.cjs`), ...flags])

export const cliStart: readonly Benchmark[] = [
  hardbound('aws ekm', [...BROKER, '--ca', '/nonexistent/ca.pem']),
  hardbound('aws tpm', [...SESSION, '--tpm', 'unix:/nonexistent/tpm', '--handle', '0x81010001']),
  hardbound('aws pkcs11', [...SESSION, '--uri', `pkcs11:object=aws?module-path=${MODULE}`]),
  hardbound('aws kms', [...SESSION, '--envelope', '/nonexistent/envelope.json']),
  hardbound('aws roles-anywhere', [...ANYWHERE, '--certificate', '/nonexistent/certificate.pem']),
  hardbound('azure ekm', [...BROKER, '--scope', 'https://x.example.com/.default', '--ca', '/nonexistent/ca.pem']),
  dropIn('aws_signing_helper', [
    ...['credential-process', ...ANYWHERE, '--certificate', '/nonexistent/certificate.pem'],
    ...['--private-key', '/nonexistent/certificate.key'],
  ]),
  dropIn('aws-tpm-process-credential', [...GO_SESSION, '-tpm-path', '/nonexistent/tpm']),
  dropIn('aws-pkcs-process-credential', [...GO_SESSION, '-pkcs-uri', PKCS_URI]),
  dropIn('aws-channel-jwt-process-credential', [
    ...['-host', 'broker.example.com:443', '-endpoint', 'https://broker.example.com/', '-audience', 'x'],
    ...['-trust-ca', '/nonexistent/ca.pem'],
  ]),
]

function milliseconds(args: string[], expected: number): number {
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: ENV })
  const elapsed = performance.now() - start
  if (status !== expected) throw new Error(`exit ${status}: ${stderr.toString()}`)
  return elapsed
}
