import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startAws, type TestAws } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type CredentialServer, type CredentialServerEvent, createCredentialServer } from '../src/index.ts'
import { ROLE, stsProvider } from './aws-helpers.ts'
import { runFixture } from './child.ts'

const AWS = '/usr/bin/aws'
/** Of each session, in seconds, of which half is over when the next one comes: long enough for a call in between. */
const LIFE = 6
/** Sessions that a program which starts anew for each call gets to see: three rotations. */
const FOUR = 4
/** Sessions that a program which goes on running gets to see: ten rotations. */
const ELEVEN = 11

interface Outcome {
  arns: string[]
  calls: number
}

let folder: string
let aws: TestAws
let server: CredentialServer
const events: CredentialServerEvent[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credential-server-'))
  aws = await startAws()
  server = createCredentialServer({
    aws: { provider: stsProvider(aws, LIFE), roleName: ROLE, container: {} },
    onEvent: (event) => events.push(event),
  })
  await server.listen()
})
afterAll(async () => {
  await server.close()
  await aws.close()
  await rm(folder, { recursive: true })
})

type Form = 'AWS_EC2' | 'AWS_CONTAINER' | 'AWS_'

/** Variables of one form alone, and a home without anything in it. */
const environment = (form: Form): Record<string, string> => ({
  PATH: '/usr/bin:/bin',
  HOME: folder,
  AWS_PAGER: '',
  AWS_METADATA_SERVICE_TIMEOUT: '10', // seconds, of a busy machine; botocore's default is one
  ...Object.fromEntries(Object.entries(server.environment()).filter(([name]) => name.startsWith(form))),
})
const numbersOf = ({ arns }: Outcome): number[] =>
  arns.map((arn) => Number(/:assumed-role\/ExampleS3WriteRole\/s(\d+)$/.exec(arn)?.[1]))
const expectSessions = (count: number, outcomes: readonly Outcome[]): void => {
  for (const { arns, calls } of outcomes) {
    expect(arns).toHaveLength(count)
    expect(calls).toBeGreaterThanOrEqual(count)
  }
  expect(aws.refusals).toEqual([])
  expect(events).toEqual([])
}
const expectEach = (outcomes: readonly Outcome[]): void => {
  expectSessions(ELEVEN, outcomes)
  // None left out, none had again.
  for (const [first, ...rest] of outcomes.map(numbersOf)) expect(rest).toEqual(rest.map((_, i) => first! + 1 + i))
}

describe('I25 sessions one after another, and no failed call', () => {
  it('AWS SDK for JavaScript, ten rotations', async () => {
    const kinds = [
      ['imds', 'AWS_EC2'],
      ['default', 'AWS_EC2'],
      ['container', 'AWS_CONTAINER'],
      ['http', 'AWS_CONTAINER'],
      ['default', 'AWS_CONTAINER'],
      ['default', 'AWS_'],
    ] as const
    const outcomes = kinds.map(([kind, form]) =>
      runFixture<Outcome>('call-sts.mjs', [kind, aws.endpoint, String(ELEVEN)], {
        env: environment(form),
        timeoutMs: 90_000,
      }),
    )
    expectEach(await Promise.all(outcomes))
  }, 100_000)

  it('AWS CLI, three rotations', async () => {
    if (!existsSync(AWS)) throw new Error(`${AWS} is missing (Debian and Ubuntu: apt-get install awscli)`)
    const args = ['sts', 'get-caller-identity', '--region', 'eu-west-1', '--endpoint-url', aws.endpoint]
    const callUntilFour = async (form: Form): Promise<Outcome> => {
      const outcome: Outcome = { arns: [], calls: 0 }
      while (outcome.arns.length < FOUR) {
        const { stdout } = await promisify(execFile)(AWS, [...args, '--output', 'json'], { env: environment(form) })
        const { Arn } = JSON.parse(stdout) as { Arn: string }
        outcome.calls++
        if (!outcome.arns.includes(Arn)) outcome.arns.push(Arn)
      }
      return outcome
    }
    const outcomes = await Promise.all([callUntilFour('AWS_EC2'), callUntilFour('AWS_CONTAINER')])
    expectSessions(FOUR, outcomes)
    // None had again; a session may come and go while Python starts.
    for (const numbers of outcomes.map(numbersOf)) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  }, 60_000)

  it('boto3, ten rotations', async () => {
    const file = fileURLToPath(new URL('./fixtures/call_sts.py', import.meta.url))
    const kinds = [
      ['new', 'AWS_EC2'],
      ['same', 'AWS_CONTAINER'],
    ] as const
    const python = pythonWithBoto3()
    const outcomes = kinds.map(async ([kind, form]) => {
      const env = environment(form)
      const { stdout } = await promisify(execFile)(python, [file, kind, aws.endpoint, String(ELEVEN)], { env })
      return JSON.parse(stdout) as Outcome
    })
    expectEach(await Promise.all(outcomes))
  }, 100_000)
})

function pythonWithBoto3(): string {
  for (const python of ['/usr/bin/python3', 'python3']) {
    try {
      return execFileSync(python, ['-c', 'import boto3, sys; print(sys.executable)'], {
        encoding: 'utf8',
        stdio: 'pipe',
      }).trim()
    } catch {
      // the next one
    }
  }
  throw new Error('boto3 is missing (Debian and Ubuntu: apt-get install python3-boto3)')
}
