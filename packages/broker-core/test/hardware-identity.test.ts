import {
  type HmacBackend,
  HmacBackendError,
  hardwareCredentials,
  hmacSignerConstructor,
  softwareHmac,
} from '@hardbound/sigv4-hmac'
import { startAws, type TestAws } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createAwsIssuer } from '../src/aws-issuer.ts'
import type { AwsGrant } from '../src/types.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: SECRET,
  arn: 'arn:aws:iam::111122223333:user/broker',
}
const ROLE = 'arn:aws:iam::444455556666:role/reader'
const GRANT: AwsGrant = {
  target: 'aws',
  action: 'AssumeRole',
  roleArn: ROLE,
  durationSeconds: 900,
  roleSessionName: 'vm-1',
  sourceIdentity: undefined,
  externalId: undefined,
  sessionPolicy: undefined,
  tags: [],
  transitiveTagKeys: [],
  region: undefined,
  requirePackedPolicySize: false,
}

let aws: TestAws
beforeAll(async () => {
  aws = await startAws()
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
})
afterAll(() => aws?.close())

async function issue(backend: HmacBackend, times = 1): Promise<unknown> {
  const issuer = createAwsIssuer({
    regions: ['eu-west-1'],
    endpoint: aws.endpoint,
    credentials: hardwareCredentials(USER.accessKeyId),
    signerConstructor: hmacSignerConstructor(backend),
  })
  try {
    let last: unknown
    for (let i = 0; i < times; i++) {
      last = await issuer.issue(GRANT, { requestId: 'req-1', signal: new AbortController().signal })
    }
    return last
  } finally {
    issuer.close()
  }
}

const failing = (code: HmacBackendError['code']): HmacBackend => ({
  name: 'failing',
  hmacSha256: () => Promise.reject(new HmacBackendError(code, 'PIN 1234')),
  close: () => Promise.resolve(),
})

describe('an AWS issuer whose own key is elsewhere', () => {
  it('signs each call with it, and asks it once a day', async () => {
    const key = softwareHmac({ secretAccessKey: SECRET })
    const asked: Uint8Array[] = []
    const counting: HmacBackend = {
      ...key,
      hmacSha256(message) {
        asked.push(message)
        return key.hmacSha256(message)
      },
    }
    await expect(issue(counting, 3)).resolves.toMatchObject({
      body: { AssumedRoleArn: expect.stringContaining('/vm-1') },
    })
    expect(asked).toHaveLength(1)
    expect(aws.calls.at(-1)).toMatchObject({ action: 'AssumeRole', principal: USER.arn })
  })

  it('is refused by STS with another key', async () => {
    const other = softwareHmac({ secretAccessKey: SECRET.toLowerCase() })
    await expect(issue(other)).rejects.toMatchObject({ code: 'signer_unavailable', reason: 'upstream.signature' })
  })

  it.each([
    ['M01', 'ERR_HMAC_UNAVAILABLE', 'signer.hmac_unavailable'],
    ['M03', 'ERR_HMAC_DENIED', 'signer.hmac_denied'],
    ['M27', 'ERR_HMAC_OVERLOADED', 'signer.hmac_overloaded'],
    ['M29', 'ERR_HMAC_POLICY', 'signer.hmac_policy'],
  ] as const)('%s %s: 503, the reason in the audit, nothing sent, no word of the device', async (_, code, reason) => {
    const before = aws.calls.length + aws.refusals.length
    const error = await issue(failing(code)).catch((it: unknown) => it)
    expect(error).toMatchObject({ code: 'signer_unavailable', reason })
    expect(String(error)).not.toContain('1234')
    expect(aws.calls.length + aws.refusals.length).toBe(before)
  })
})
