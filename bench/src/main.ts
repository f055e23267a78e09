import { parseArgs } from 'node:util'
import { brokerGrant } from './broker-grant.ts'
import { cliStart } from './cli-start.ts'
import { hardwareCalls } from './hardware-calls.ts'
import { metadataServer } from './metadata-server.ts'
import { pkcs11Hmac } from './pkcs11-hmac.ts'
import { raSign } from './ra-sign.ts'
import { raSignDevice } from './ra-sign-device.ts'
import type { Row } from './row.ts'
import { sign } from './sign.ts'
import { tpmHmac } from './tpm-hmac.ts'
import { verify } from './verify.ts'

const BENCHMARKS = [
  ...sign,
  ...raSign,
  ...raSignDevice,
  hardwareCalls,
  ...tpmHmac,
  pkcs11Hmac,
  verify,
  brokerGrant,
  metadataServer,
  ...cliStart,
]

const HELP = `npm run bench [-- --only NAME] [-- --json]

Each row is measured in turns with its peer or floor in the same run; medians. Exit 1 when a goal is missed.
  --only NAME   one of: ${[...new Set(BENCHMARKS.map(({ name }) => name))].join(', ')}
  --json        [{ name, value, unit, against, peer, ratio, goal, pass }] on stdout
`

const { values } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
})
if (values.help === true) {
  process.stdout.write(HELP)
} else {
  const chosen = BENCHMARKS.filter(({ name }) => values.only === undefined || name === values.only)
  if (chosen.length === 0) {
    process.stderr.write(HELP)
    process.exit(2)
  }
  const rows: Row[] = []
  for (const benchmark of chosen) {
    process.stderr.write(`measuring ${benchmark.name} …\n`)
    rows.push(await benchmark.run())
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
  else for (const row of rows) process.stdout.write(`${line(row)}\n`)
  process.exitCode = rows.every(({ pass }) => pass) ? 0 : 1
}

function line({ name, value, unit, against, peer, ratio, goal, pass }: Row): string {
  const relation = goal.endsWith('ms') ? `${ratio >= 0 ? '+' : ''}${ratio} ms` : `${ratio}x`
  return `${pass ? 'ok  ' : 'MISS'} ${name.padEnd(18)} ${value} ${unit} against ${against} (${peer}): ${relation}, goal ${goal}`
}
