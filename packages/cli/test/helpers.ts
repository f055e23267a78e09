import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTestPki, productionClaims, type TestAws, type TestIssuer } from '@hardbound/testkit'

export const COMMAND = fileURLToPath(new URL('../bin/hardbound.cjs', import.meta.url))
export const AUDIENCE = 'https://broker.example.com'
export const ROLE = 'arn:aws:iam::444455556666:role/reader'
export const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/broker',
}
export const IMAGE_DIGEST = productionClaims().submods.container.image_digest

/** Without NODE_OPTIONS, which the tests themselves run with and which a broker refuses. */
export const ENV: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? '',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_ACCESS_KEY_ID: USER.accessKeyId,
  AWS_SECRET_ACCESS_KEY: USER.secretAccessKey,
}

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly nodeFlags?: readonly string[]
  readonly stdin?: string
}

/** Runs `hardbound` to its end, as a process of its own. */
export function hardbound(args: readonly string[], { env, nodeFlags = [], stdin = '' }: RunOptions = {}) {
  return runProcess(process.execPath, [...nodeFlags, COMMAND, ...args], { ...ENV, ...env }, stdin)
}

export async function runProcess(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin = '',
): Promise<Outcome> {
  const child = spawn(file, args, { env, stdio: 'pipe' })
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  child.stdin.on('error', () => {}).end(stdin)
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: stdout(), stderr: stderr() }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}

export interface RunningBroker {
  readonly child: ChildProcess
  readonly url: string
  readonly logs: () => string
  /** Sends a signal, waits for the end, gives the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts `hardbound broker run` and waits until it listens. */
export async function runBroker(config: string, env: Readonly<Record<string, string>> = ENV): Promise<RunningBroker> {
  const child = spawn(process.execPath, [COMMAND, 'broker', 'run', '-c', config], { env, stdio: 'pipe' })
  const logs = collect(child.stderr)
  const port = await new Promise<number>((resolve, reject) => {
    child.once('close', () => reject(new Error(`the broker did not start: ${logs()}`)))
    child.stderr.on('data', () => {
      const listening = /"listening":\{"host":"127\.0\.0\.1","port":(\d+)\}/.exec(logs())
      if (listening !== null) resolve(Number(listening[1]))
    })
  })
  return {
    child,
    url: `https://localhost:${port}`,
    logs,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null) return child.exitCode
      child.kill(signal)
      const [code] = (await once(child, 'close')) as [number | null]
      return code
    },
  }
}

/** A fresh folder, removed by `remove`. */
export async function makeFolder() {
  const path = await mkdtemp(join(tmpdir(), 'hardbound-cli-'))
  return {
    path,
    async write(name: string, content: string, mode = 0o600): Promise<string> {
      const file = join(path, name)
      await rm(file, { force: true })
      await writeFile(file, content, { mode })
      return file
    },
    remove: () => rm(path, { recursive: true, force: true }),
  }
}
export type Folder = Awaited<ReturnType<typeof makeFolder>>

export const POLICY = {
  version: 1,
  aws: { account_id: '444455556666' },
  rules: [
    {
      id: 'reader',
      workload: { image_digests: [IMAGE_DIGEST], project_numbers: ['123456789012'] },
      grant: { aws: { role_arn: ROLE } },
    },
  ],
}

/** A configuration that works, with all its files. JSON is YAML. */
export async function makeBroker(folder: Folder, { issuer, aws }: { issuer?: TestIssuer; aws?: TestAws } = {}) {
  const pki = await createTestPki()
  const server = await pki.issue({ commonName: 'broker', dns: ['localhost'], ip: ['127.0.0.1'] })
  await folder.write('cert.pem', server.certPem)
  await folder.write('key.pem', server.keyPem)
  const caFile = await folder.write('ca.pem', pki.caPem)
  await folder.write('policy.yaml', JSON.stringify(POLICY))
  if (issuer !== undefined) await folder.write('jwks-ca.pem', issuer.caPem)
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    tls: { certificate_file: 'cert.pem', key_file: 'key.pem' },
    attestation: {
      audience: AUDIENCE,
      issuers: [
        issuer === undefined
          ? { type: 'google' }
          : { type: 'google', jwks_url: issuer.jwksUrl, jwks_ca_file: 'jwks-ca.pem' },
      ],
    },
    aws: { regions: ['eu-west-1'], ...(aws === undefined ? {} : { endpoint: aws.endpoint }) },
    audit: { file: 'audit.jsonl' },
    policy: 'policy.yaml',
  }
  const file = await folder.write('broker.yaml', JSON.stringify(config))
  return { pki, server, caFile, config, file }
}
