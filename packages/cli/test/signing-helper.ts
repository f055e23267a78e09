import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startAws } from '@hardbound/testkit'
import { startRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { makeCertificates, RSA } from './certificates.ts'
import { type Outcome, runProcess } from './helpers.ts'

// What the tests of aws_signing_helper share: the drop-in as a process of its own, and an IAM Roles Anywhere that verifies.

export const HELPER = fileURLToPath(new URL('../bin/aws_signing_helper.cjs', import.meta.url))
export const AWS = '/usr/bin/aws'
export const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
export const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
export const ROLE = 'arn:aws:iam::111122223333:role/path/reader'
export const ASKED = ['--trust-anchor-arn', ANCHOR, '--profile-arn', PROFILE, '--role-arn', ROLE]
/** `2026/11/22 10:23:51 `, and no more on that line than the message. */
export const STAMP = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm

type Env = Readonly<Record<string, string>>
const BARE: Env = { PATH: '/usr/bin:/bin' }

/** Runs the drop-in to its end. */
export const helper = (args: readonly string[], env: Env = {}): Promise<Outcome> =>
  runProcess(process.execPath, [HELPER, ...args], { ...BARE, ...env })

/** What was logged, without the times. */
export const messagesOf = (stderr: string): string[] => stderr.replace(STAMP, '').split('\n').slice(0, -1)

/** Certificates `ec`, `rsa` and `other`, all of an intermediate of the trust anchor; the service; an STS and an S3 that know its sessions. */
export async function makeLab() {
  if (!existsSync(AWS))
    throw new Error(`${AWS} is missing: install the AWS CLI (Debian and Ubuntu: apt-get install awscli)`)
  const [aws, lab] = await Promise.all([startAws(), makeCertificates()])
  const service = await startRolesAnywhere({ aws })
  service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
  service.addProfile({ arn: PROFILE, roleArns: [ROLE], acceptRoleSessionName: true, durationSeconds: 7200 })
  aws.addBucket('reports', { 'june.csv': 'a,b\n' })
  await lab.leaf('ec')
  await lab.leaf('rsa', RSA)
  await lab.leaf('other')
  const pair = (name: string, key = name): string[] => [
    ...['--certificate', lab.at(`${name}.crt`), '--private-key', lab.at(`${key}.key`)],
    ...['--intermediates', lab.at('intermediate.crt')],
  ]
  return {
    ...lab,
    aws,
    service,
    pair,
    /** Flags of a session of the role with the certificate `ec`. */
    flags: (): string[] => [...ASKED, '--endpoint', service.endpoint, ...pair('ec')],
    /** Before each test: nothing has been asked, and the service is well. */
    reset(): void {
      service.fault = undefined
      service.answer = undefined
      service.shortenSessionsTo = undefined
      for (const list of [service.calls, service.requests, service.refusals]) (list as unknown[]).length = 0
    },
    /** The AWS CLI with no keys but those that the variables lead to. */
    awsCli: (args: readonly string[], env: Env): Promise<Outcome> =>
      runProcess(AWS, [...args, '--endpoint-url', aws.endpoint], {
        ...BARE,
        HOME: lab.path,
        AWS_CONFIG_FILE: lab.at('config'),
        AWS_SHARED_CREDENTIALS_FILE: lab.at('none'),
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_PAGER: '',
        ...env,
      }),
    async close(): Promise<void> {
      await Promise.all([service.close(), aws.close(), lab.remove()])
    },
  }
}
export type Lab = Awaited<ReturnType<typeof makeLab>>

/** A drop-in that goes on until it is stopped. */
export interface RunningHelper {
  readonly child: ChildProcess
  readonly logs: () => string
  /** Resolves once the log has so many lines that match. */
  logged(form: RegExp, times?: number): Promise<RegExpMatchArray>
  /** Sends a signal, waits for the end, gives the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts `serve`, or `update` without `--once`. */
export function startHelper(args: readonly string[], env: Env = {}): RunningHelper {
  const child = spawn(process.execPath, [HELPER, ...args], { env: { ...BARE, ...env }, stdio: 'pipe' })
  const closed = once(child, 'close')
  let logs = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    logs += text
  })
  return {
    child,
    logs: () => logs,
    logged: (form, times = 1) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = [...logs.matchAll(new RegExp(form, 'gm'))][times - 1]
          if (found !== undefined) resolve(found)
        }
        child.stderr.on('data', look)
        child.once('close', () => reject(new Error(`ended before ${String(form)}: ${logs}`)))
        look()
      }),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null) child.kill(signal)
      const [code] = (await closed) as [number | null]
      return code
    },
  }
}
