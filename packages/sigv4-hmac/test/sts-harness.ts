import type { IncomingMessage, ServerResponse } from 'node:http'
import { startAws, type TestAws } from '@hardbound/testkit'
import type { HmacBackend } from '../src/hmac-backend.ts'
import { softwareHmac } from '../src/software-backend.ts'
import { createStsClient, type StsClientInit } from '../src/sts-client.ts'

export const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/broker',
}
export const ROLE = 'arn:aws:iam::444455556666:role/path/Reader'

export interface StsHarness {
  readonly aws: TestAws
  readonly backend: HmacBackend
  /** What the emulator takes for the time, off by so many milliseconds. */
  skewMs: number
  /** Bodies and dates of all that reached STS. */
  readonly seen: { body: string; date: string; authorization: string }[]
  readonly init: StsClientInit
  client(o?: Partial<StsClientInit>): ReturnType<typeof createStsClient>
  close(): Promise<void>
}

/** STS that trusts a key that is only in a backend. */
export async function startSts(): Promise<StsHarness> {
  const aws = await startAws({ now: () => Date.now() + harness.skewMs })
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn], maxSessionSeconds: 43_200 })
  const backend = softwareHmac({ secretAccessKey: USER.secretAccessKey })
  const init: StsClientInit = {
    backend,
    accessKeyId: USER.accessKeyId,
    region: 'us-east-1',
    endpoint: aws.endpoint,
    dangerouslyAllowPlaintextEndpoint: true,
    timeoutMs: 5_000,
  }
  const harness: StsHarness = {
    aws,
    backend,
    skewMs: 0,
    seen: [],
    init,
    client: (o = {}) => createStsClient({ ...init, ...o }),
    close: async () => {
      await backend.close()
      await aws.close()
    },
  }
  return harness
}

export type Answer = (req: IncomingMessage, res: ServerResponse, body: string) => void

/** Gives these answers in turn, then those of the emulator. Notes what was asked. */
export function script(harness: StsHarness, answers: readonly (Answer | undefined)[]): void {
  const left = [...answers]
  harness.seen.length = 0
  harness.aws.fault = (req, res, body) => {
    const { 'x-amz-date': date, authorization } = req.headers
    harness.seen.push({ body, date: String(date), authorization: String(authorization) })
    const answer = left.shift()
    answer?.(req, res, body)
    return answer !== undefined
  }
}

/** A refusal in AWS's form. */
export const refuse =
  (status: number, code: string, headers: Record<string, string> = {}, message = 'no'): Answer =>
  (_req, res) => {
    res.writeHead(status, { 'content-type': 'text/xml', 'x-amzn-RequestId': 'request-1', ...headers })
    const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`
    res.end(
      `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${error}<RequestId>1</RequestId></ErrorResponse>`,
    )
  }

/** A 200 for {@link ROLE}, with parts changed. */
export function assumed(change: Partial<Record<string, string>> = {}): string {
  const part = {
    AccessKeyId: 'ASIAIOSFODNN7EXAMPLE',
    SecretAccessKey: 'x'.repeat(40),
    SessionToken: 'IQoJb3JpZ2luX2Vj/+==',
    Expiration: new Date(Date.now() + 900_000).toISOString(),
    Arn: 'arn:aws:sts::444455556666:assumed-role/Reader/workload',
    ...change,
  }
  const { Arn, ...keys } = part
  const credentials = Object.entries(keys)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join('')
  return (
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>' +
    `<AssumedRoleUser><AssumedRoleId>AROA:workload</AssumedRoleId><Arn>${Arn}</Arn></AssumedRoleUser>` +
    `<Credentials>${credentials}</Credentials></AssumeRoleResult>` +
    '<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>'
  )
}
