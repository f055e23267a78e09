import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { bindingNonce, connectEkm, type EkmConnectInit } from '@hardbound/ekm-tls'
import { createTestPki, startIssuer, type TestIssuer } from '@hardbound/testkit'
import { startServer, stopServer } from './children.ts'
import { HARDBOUND } from './cli-start.ts'
import { type Benchmark, interleaved, rounded } from './row.ts'

const ROLE = 'arn:aws:iam::111122223333:role/reader'
const AUDIENCE = 'https://broker.example.com'
const IMAGE = `sha256:${'a1'.repeat(32)}`
const CONCURRENCY = 16
const GRANTS = 250
const ROUNDS = 9

/**
 * Grants on fresh mutual-TLS connections: verification, policy, STS (answering at once) and a durable audit record, against a
 * server that does the same TLS and answers. Both get the same load: a client that signs an attestation for each request.
 */
export const brokerGrant: Benchmark = {
  name: 'broker-grant',
  async run() {
    const folder = await mkdtemp(join(tmpdir(), 'hardbound-bench-'))
    const [pki, issuer] = await Promise.all([createTestPki(), startIssuer()])
    const sts = spawn(process.execPath, [script('instant-sts.js'), ROLE, 'hb-1'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const stsPort = await firstPort(sts.stderr)
    const client = await pki.issue({ commonName: 'workload', usage: 'client' })
    await configure(folder, pki, issuer, stsPort)
    const env = {
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    }
    const broker = await startServer([HARDBOUND, 'broker', 'run', '-c', join(folder, 'broker.yaml')], env)
    const bare = await startServer([script('bare-server.js'), folder])
    const target = (port: number): EkmConnectInit => ({
      url: `https://127.0.0.1:${port}/v2/credentials`,
      ca: pki.caPem,
      cert: client.certPem,
      key: client.keyPem,
    })
    try {
      const ours = () => grantsPerSecond(target(broker.port), issuer)
      const floor = () => grantsPerSecond(target(bare.port), issuer)
      await ours()
      await floor()
      const { value, against, ratio: paired } = await interleaved(ROUNDS, ours, floor)
      const ratio = rounded(paired)
      return {
        name: 'broker-grant',
        value: rounded(value, 1),
        unit: 'grants/s',
        against: rounded(against, 1),
        peer: 'bare node:https, same TLS',
        ratio,
        goal: '>= 0.8x',
        pass: ratio >= 0.8,
      }
    } finally {
      await Promise.all([stopServer(broker), stopServer(bare), stopServer({ child: sts }), issuer.close()])
      await rm(folder, { recursive: true })
    }
  },
}

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

async function firstPort(lines: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: lines })) return (JSON.parse(line) as { port: number }).port
  throw new Error('the server ended')
}

async function configure(
  folder: string,
  pki: Awaited<ReturnType<typeof createTestPki>>,
  issuer: TestIssuer,
  stsPort: number,
): Promise<void> {
  const { certPem, keyPem } = await pki.issue({ commonName: 'broker', ip: ['127.0.0.1'] })
  const files = {
    'server.pem': certPem,
    'server.key': keyPem,
    'ca.pem': pki.caPem,
    'issuer-ca.pem': issuer.caPem,
    'broker.yaml': `listen: { host: 127.0.0.1, port: 0 }
tls: { certificate_file: server.pem, key_file: server.key, client_ca_file: ca.pem }
attestation:
  audience: ${AUDIENCE}
  issuers: [{ type: google, jwks_url: "${issuer.jwksUrl}", jwks_ca_file: issuer-ca.pem }]
aws: { regions: [eu-west-1], endpoint: "http://127.0.0.1:${stsPort}" }
audit: { file: audit.jsonl }
limits: { requests_per_second: 1000000 }
policy:
  version: 1
  aws: { account_id: "111122223333" }
  rules:
    - id: reader
      workload: { image_digests: ["${IMAGE}"] }
      grant: { aws: { role_arn: "${ROLE}", max_duration_seconds: 3600 } }
`,
  }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })))
}

async function grantsPerSecond(target: EkmConnectInit, issuer: TestIssuer): Promise<number> {
  let left = GRANTS
  const start = process.hrtime.bigint()
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left-- > 0) await oneGrant(target, issuer)
    }),
  )
  return GRANTS / (Number(process.hrtime.bigint() - start) / 1e9)
}

const REQUEST = JSON.stringify({ target: 'aws', role_arn: ROLE, duration_seconds: 3600 })

async function oneGrant(target: EkmConnectInit, issuer: TestIssuer): Promise<void> {
  const connection = await connectEkm(target)
  const nonces = [bindingNonce(connection.channel, Buffer.from(REQUEST))]
  const claims = { submods: { container: { image_digest: IMAGE }, gce: { instance_id: '1' } } }
  const body = Buffer.from(
    JSON.stringify({ attestation: issuer.token({ audience: AUDIENCE, nonces, claims }), request: REQUEST }),
  )
  const response = await connection.request({ body, headers: { 'content-type': 'application/json' } })
  connection.close()
  if (response.status !== 200) throw new Error(`the server answered ${response.status}: ${response.body.toString()}`)
}
