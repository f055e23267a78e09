import { once } from 'node:events'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { createTestPki, startAws } from '@hardbound/testkit'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { type AwsIssuer, type AwsIssuerInit, createAwsIssuer } from '../src/aws-issuer.ts'
import { readStsAnswer } from '../src/internal/sts-answer-text.ts'
import { createStsClients } from '../src/internal/sts-clients.ts'
import type { AuditRecord, AwsGrant, Grant } from '../src/types.ts'
import { answer, assumeRoleXml, errorXml, SESSION, startFakeSts } from './fake-sts.ts'

const NOW = Date.parse('2026-08-22T12:00:00Z')
const GRANT: AwsGrant = {
  target: 'aws',
  action: 'AssumeRole',
  roleArn: 'arn:aws:iam::111122223333:role/app/reader',
  durationSeconds: 3600,
  roleSessionName: 'vm-1',
  sourceIdentity: undefined,
  externalId: undefined,
  sessionPolicy: undefined,
  tags: [],
  transitiveTagKeys: [],
  region: undefined,
  requirePackedPolicySize: false,
}
const POLICY = '{"Version":"2012-10-17","Statement":[]}'
const context = (signal = new AbortController().signal) => ({ requestId: 'req-1', signal })

let sts: Awaited<ReturnType<typeof startFakeSts>>
const issuers: AwsIssuer[] = []
function issuer(init: Partial<AwsIssuerInit> = {}): AwsIssuer {
  const made = createAwsIssuer({
    regions: ['eu-west-1'],
    endpoint: sts.endpoint,
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
    clock: () => NOW,
    ...init,
  })
  issuers.push(made)
  return made
}
const issue = (grant: Partial<AwsGrant> = {}, init: Partial<AwsIssuerInit> = {}) =>
  issuer(init).issue({ ...GRANT, ...grant }, context())

beforeEach(async () => {
  sts = await startFakeSts(answer(assumeRoleXml()))
  jest.spyOn(Math, 'random').mockReturnValue(0) // the SDK's back-off is full jitter: no wait
})
afterEach(() => {
  jest.restoreAllMocks()
  for (const made of issuers.splice(0)) made.close()
  sts.close()
})

describe('createAwsIssuer', () => {
  it('answers with the credentials, and audits them without a secret', async () => {
    const issued = await issue()
    expect(issued).toEqual({
      body: {
        Version: 1,
        AccessKeyId: SESSION.accessKeyId,
        SecretAccessKey: SESSION.secretAccessKey,
        SessionToken: SESSION.sessionToken,
        Expiration: '2026-08-22T13:00:00Z',
        AssumedRoleArn: SESSION.arn,
      },
      expiresAt: NOW / 1000 + 3600,
      audit: {
        aws_access_key_id: SESSION.accessKeyId,
        aws_assumed_role_arn: SESSION.arn,
        aws_request_id: 'c6104cbe-af31-11e0-8154-cbc7ccf896c7',
        aws_region: 'eu-west-1',
        attempts: 1,
      },
    })
  })

  it('puts every field of the grant on the wire, signed', async () => {
    const aws = await startAws()
    const identity = {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    }
    aws.addUser({ ...identity, arn: 'arn:aws:iam::444455556666:user/broker' })
    aws.addRole({ arn: GRANT.roleArn!, trusts: ['arn:aws:iam::444455556666:user/broker'], externalId: 'ext-1' })
    const grant: Partial<AwsGrant> = {
      durationSeconds: 1800,
      sourceIdentity: 'sa@example.com',
      externalId: 'ext-1',
      sessionPolicy: POLICY,
      tags: [
        { key: 'project', value: '1234' },
        { key: 'image', value: 'sha256:ab é/+=' },
      ],
      transitiveTagKeys: ['project'],
      requirePackedPolicySize: true,
    }
    const init = { endpoint: aws.endpoint, credentials: identity, clock: Date.now }
    try {
      const { audit } = await issue(grant, init)
      expect(audit).toMatchObject({ aws_assumed_role_arn: SESSION.arn, aws_request_id: expect.any(String) })
      expect(aws.calls).toEqual([
        {
          action: 'AssumeRole',
          principal: 'arn:aws:iam::444455556666:user/broker',
          params: {
            RoleArn: GRANT.roleArn,
            RoleSessionName: 'vm-1',
            DurationSeconds: '1800',
            SourceIdentity: 'sa@example.com',
            ExternalId: 'ext-1',
            Policy: POLICY,
            'Tags.member.1.Key': 'project',
            'Tags.member.1.Value': '1234',
            'Tags.member.2.Key': 'image',
            'Tags.member.2.Value': 'sha256:ab é/+=',
            'TransitiveTagKeys.member.1': 'project',
          },
        },
      ])
      await expect(issue({ ...grant, externalId: 'ext-2' }, init)).rejects.toMatchObject({
        reason: 'upstream.access_denied',
      })
    } finally {
      await aws.close()
    }
  })

  it('sends no empty lists', async () => {
    await issue()
    expect([...sts.requests[0]!.params.keys()].sort()).toEqual(
      ['Action', 'DurationSeconds', 'RoleArn', 'RoleSessionName', 'Version'].sort(),
    )
  })

  it('asks for a session token only where the grant says so', async () => {
    sts.script = answer(
      `<GetSessionTokenResponse><GetSessionTokenResult><Credentials><AccessKeyId>${SESSION.accessKeyId}</AccessKeyId>
<SecretAccessKey>${SESSION.secretAccessKey}</SecretAccessKey><SessionToken>${SESSION.sessionToken}</SessionToken>
<Expiration>${SESSION.expiration}</Expiration></Credentials></GetSessionTokenResult></GetSessionTokenResponse>`,
    )
    const { body } = await issue({ action: 'GetSessionToken', roleArn: undefined })
    expect(Object.keys(body)).toEqual(['Version', 'AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration'])
    expect(Object.fromEntries(sts.requests[0]!.params)).toMatchObject({
      Action: 'GetSessionToken',
      DurationSeconds: '3600',
    })
  })

  it('signs for the region of the grant', async () => {
    const { audit } = await issue({ region: 'us-gov-west-1' })
    expect(audit).toMatchObject({ aws_region: 'us-gov-west-1' })
    expect(sts.requests[0]!.headers.authorization).toContain('/us-gov-west-1/sts/aws4_request')
  })

  it.each([
    { regions: ['EU-WEST-1'] },
    { regions: ['eu-west-1.example.com'] },
    { endpoint: 'http://sts.example.com' },
    { endpoint: 'https://user:pass@sts.example.com' },
    { endpoint: 'https://sts.example.com/?q' },
    { endpoint: 'sts.example.com' },
    { maxConcurrency: 0 },
    { deadlineMs: 1.5 },
  ] as Partial<AwsIssuerInit>[])('refuses to be made with %j', (init) => {
    expect(() => issuer(init)).toThrow(/"/)
  })

  it('allows a plaintext endpoint off the loopback only by its loud name', () => {
    expect(() => issuer({ endpoint: 'http://sts.example.com', allowPlaintextEndpoint: true })).not.toThrow()
  })

  it('refuses a grant of another target', async () => {
    const grant: Grant = { target: 'azure' }
    await expect(issuer().issue(grant, context())).rejects.toMatchObject({ code: 'internal' })
  })
})

describe('answers that say no', () => {
  it('U01 access denied: rejected, and nothing of the text gets out', async () => {
    sts.script = answer(errorXml('AccessDenied', 'User: arn:aws:iam::444455556666:user/broker is not authorized'), 403)
    const error = await issue().catch((e: unknown) => e)
    const facts = { aws_request_id: 'c6104cbe-af31-11e0-8154-cbc7ccf896c7', attempts: 1 }
    expect(error).toMatchObject({ code: 'upstream_rejected', reason: 'upstream.access_denied', facts })
    expect(error).not.toHaveProperty('cause')
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/arn:|444455556666|authorized/)
    expect(sts.requests).toHaveLength(1)
  })

  it.each(['PackedPolicyTooLarge', 'MalformedPolicyDocument', 'ValidationError'])(
    'P17 %s: rejected, never asked again without the policy',
    async (code) => {
      sts.script = answer(errorXml(code), 400)
      await expect(issue({ sessionPolicy: POLICY })).rejects.toMatchObject({ code: 'upstream_rejected' })
      expect(sts.requests).toHaveLength(1)
    },
  )

  it.each(['SignatureDoesNotMatch', 'RequestExpired', 'InvalidClientTokenId', 'ExpiredToken', 'ExpiredTokenException'])(
    'U02 %s: our signer is at fault, asked once',
    async (code) => {
      sts.script = answer(errorXml(code), 403, { date: 'Sat, 22 Aug 2020 12:00:00 GMT' })
      await expect(issue()).rejects.toMatchObject({ code: 'signer_unavailable' })
      expect(sts.requests).toHaveLength(1)
    },
  )

  it('U02 a failing credentials provider: nothing is asked', async () => {
    const credentials = () => Promise.reject(new Error('PIN 1234 is wrong'))
    const error = await issue({}, { credentials }).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'signer_unavailable', reason: 'upstream.credentials' })
    expect(inspect(error, { depth: 9 })).not.toContain('1234')
    expect(sts.requests).toHaveLength(0)
  })

  it('U02 a hanging credentials provider ends with the deadline', async () => {
    const credentials = () => new Promise<never>(() => {})
    await expect(issue({}, { credentials, deadlineMs: 50 })).rejects.toMatchObject({ code: 'signer_unavailable' })
  })

  it.each([
    ['Throttling', 400],
    ['anything', 429],
    ['SlowDown', 503],
  ])('U04 %s with status %d: three attempts, then unavailable with the time to wait', async (code, status) => {
    sts.script = answer(errorXml(code), status, { 'retry-after': '7' })
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_unavailable', retryAfterSeconds: 7 })
    expect(sts.requests).toHaveLength(3)
  })

  it('U04 throttled once: the retry answers', async () => {
    sts.script = (req, res, params) => {
      sts.script = answer(assumeRoleXml())
      answer(errorXml('Throttling'), 400)(req, res, params)
    }
    expect((await issue()).audit).toMatchObject({ attempts: 2 })
  })

  it.each([500, 502])('status %d with an HTML page: unavailable', async (status) => {
    sts.script = answer('<html><body>Bad gateway</body></html>', status)
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_unavailable', reason: 'upstream.server_error' })
  })

  it.each([301, 404, 418])('status %d without an STS error: rejected, not followed', async (status) => {
    sts.script = answer('', status, { location: `${sts.endpoint}/other` })
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_rejected', reason: 'upstream.refused' })
    expect(sts.requests).toHaveLength(1)
  })
})

describe('no answer', () => {
  it('U03 connection refused: the second region is asked once, signed for it', async () => {
    const endpoint = (region: string) => (region === 'eu-west-1' ? 'http://127.0.0.1:1' : sts.endpoint)
    const { audit } = await issue({}, { regions: ['eu-west-1', 'eu-central-1'], endpoint })
    expect(audit).toMatchObject({ aws_region: 'eu-central-1', attempts: 2 })
    expect(sts.requests[0]!.headers.authorization).toContain('/eu-central-1/sts/aws4_request')
  })

  it('U03 both regions refuse: unavailable after one attempt each', async () => {
    const asked: string[] = []
    const endpoint = (region: string) => {
      asked.push(region)
      return 'http://127.0.0.1:1'
    }
    const regions = ['eu-west-1', 'eu-central-1', 'eu-north-1'] as const
    const made = issuer({ regions, endpoint })
    asked.length = 0
    await expect(made.issue(GRANT, context())).rejects.toMatchObject({
      code: 'upstream_unavailable',
      reason: 'upstream.connect',
    })
    expect(asked).toEqual(['eu-west-1', 'eu-central-1'])
  })

  it('U03 a connection that never comes about: the second region', async () => {
    const hole = net.createServer().listen(0, '127.0.0.1') // accepts, and never says a word of TLS
    await once(hole, 'listening')
    const port = (hole.address() as AddressInfo).port
    const endpoint = (region: string) => (region === 'eu-west-1' ? `https://127.0.0.1:${port}` : sts.endpoint)
    const regions = ['eu-west-1', 'eu-central-1'] as const
    const { audit } = await issue({}, { regions, endpoint, attemptTimeoutMs: 200 })
    expect(audit).toMatchObject({ aws_region: 'eu-central-1' })
    hole.close()
  })

  it('U05 accepts and never answers: timeout, with the outcome unknown', async () => {
    sts.script = () => {}
    await expect(issue({}, { attemptTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'upstream_timeout',
      reason: 'upstream.unknown_outcome',
    })
    expect(sts.requests).toHaveLength(3)
  })

  it('U05 the deadline ends all attempts', async () => {
    sts.script = () => {}
    await expect(issue({}, { deadlineMs: 100 })).rejects.toMatchObject({
      code: 'upstream_timeout',
      reason: 'upstream.unknown_outcome',
    })
    expect(sts.requests).toHaveLength(1)
  })

  it.each<[string, typeof sts.script]>([
    [
      'an octet at a time',
      (_req, res) => {
        const timer = setInterval(() => res.write('<'), 10)
        res.once('close', () => clearInterval(timer))
      },
    ],
    ['headers only', (_req, res) => void res.writeHead(200, { 'content-length': '900' }).flushHeaders()],
    ['100 Continue only', (_req, res) => res.writeContinue()],
  ])('U06 %s: timeout', async (_name, script) => {
    sts.script = script
    await expect(issue({}, { attemptTimeoutMs: 50 })).rejects.toMatchObject({ code: 'upstream_timeout' })
  })

  it('U07 reset after the request was sent: signed and sent again, one credential', async () => {
    sts.script = (req) => {
      sts.script = answer(assumeRoleXml())
      req.socket.resetAndDestroy()
    }
    expect((await issue()).audit).toMatchObject({ attempts: 2 })
    expect(sts.requests.map(({ headers }) => headers['amz-sdk-request'])).toEqual([
      'attempt=1; max=3',
      'attempt=2; max=3',
    ])
  })

  it('U07 reset every time: unavailable, with the outcome unknown', async () => {
    sts.script = (req) => req.socket.resetAndDestroy()
    await expect(issue()).rejects.toMatchObject({
      code: 'upstream_unavailable',
      reason: 'upstream.unknown_outcome',
    })
    expect(sts.requests).toHaveLength(3)
  })

  it('U08 a success after we gave up is reported, with its key id and expiry', async () => {
    let release = () => {}
    sts.script = (...args) => {
      release = () => answer(assumeRoleXml())(...args)
    }
    const orphan = new Promise<AuditRecord>((onOrphan) => {
      issue({}, { deadlineMs: 100, onOrphan }).catch(() => release())
    })
    expect(await orphan).toEqual({
      event: 'orphan_grant',
      requestId: 'req-1',
      aws_access_key_id: SESSION.accessKeyId,
      aws_expiration: SESSION.expiration,
    })
  })

  it('U08 the answer to a first attempt, after the second one won, is reported', async () => {
    let release = () => {}
    sts.script = (...args) => {
      release = () => answer(assumeRoleXml({ accessKeyId: 'ASIAIOSFODNN7EXAMPL2' }))(...args)
      sts.script = answer(assumeRoleXml())
    }
    const onOrphan = jest.fn()
    const orphan = new Promise<void>((resolve) => onOrphan.mockImplementation(() => resolve()))
    const { body } = await issue({}, { attemptTimeoutMs: 100, onOrphan })
    release()
    await orphan
    expect(body.AccessKeyId).toBe(SESSION.accessKeyId)
    expect(onOrphan.mock.calls).toEqual([[expect.objectContaining({ aws_access_key_id: 'ASIAIOSFODNN7EXAMPL2' })]])
  })

  it('U09 the client leaves: the call is cut', async () => {
    const client = new AbortController()
    const cut = new Promise((resolve) => {
      sts.script = (req) => {
        req.socket.once('close', resolve)
        client.abort()
      }
    })
    await expect(issuer().issue(GRANT, context(client.signal))).rejects.toMatchObject({ reason: 'abandoned' })
    await cut
    expect(sts.requests).toHaveLength(1)
  })

  it('U05 a deadline of the caller: timeout, with the outcome unknown', async () => {
    const caller = new AbortController()
    sts.script = () => caller.abort(new DOMException('late', 'TimeoutError'))
    await expect(issuer().issue(GRANT, context(caller.signal))).rejects.toMatchObject({
      code: 'upstream_timeout',
      reason: 'upstream.unknown_outcome',
    })
  })

  it('U09 the client left before: nothing is asked', async () => {
    await expect(issuer().issue(GRANT, context(AbortSignal.abort()))).rejects.toMatchObject({ reason: 'abandoned' })
    expect(sts.requests).toHaveLength(0)
  })

  it('U04 no more calls at a time than configured, no more waiting than configured', async () => {
    const held: (() => void)[] = []
    const made = issuer({ maxConcurrency: 1, maxQueue: 1 })
    const arrived = new Promise<void>((resolve) => {
      sts.script = (...args) => {
        held.push(() => answer(assumeRoleXml())(...args))
        resolve()
      }
    })
    const first = made.issue(GRANT, context())
    const second = made.issue(GRANT, context())
    await expect(made.issue(GRANT, context())).rejects.toMatchObject({ code: 'overloaded' })
    await arrived
    expect(sts.requests).toHaveLength(1)
    sts.script = answer(assumeRoleXml())
    held[0]!()
    await Promise.all([first, second])
    expect(sts.requests).toHaveLength(2)
  })

  it('U09 leaving the queue makes room for another', async () => {
    sts.script = () => {}
    const made = issuer({ maxConcurrency: 1, maxQueue: 1, deadlineMs: 150 })
    const first = made.issue(GRANT, context())
    const client = new AbortController()
    const second = made.issue(GRANT, context(client.signal))
    client.abort()
    await expect(second).rejects.toMatchObject({ reason: 'abandoned' })
    const third = made.issue(GRANT, context())
    await expect(first).rejects.toMatchObject({ code: 'upstream_timeout' })
    await expect(third).rejects.toMatchObject({ code: expect.stringMatching(/^(overloaded|upstream_timeout)$/) })
  })
})

describe('answers that do not fit', () => {
  it.each([
    ['empty', ''],
    ['HTML', '<html><body>hello</body></html>'],
    ['JSON', JSON.stringify({ AssumeRoleResponse: { AssumeRoleResult: {} } })],
    ['another root', assumeRoleXml().replaceAll('AssumeRoleResponse', 'AssumeRoleResponses')],
    ['another action', assumeRoleXml().replaceAll('AssumeRoleRes', 'GetCallerIdentityRes')],
    ['an error with status 200', errorXml('AccessDenied')],
    ['no result', '<AssumeRoleResponse></AssumeRoleResponse>'],
    ['cut off', assumeRoleXml().slice(0, -30)],
  ])('U16 %s: rejected', async (_name, xml) => {
    sts.script = answer(xml)
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_rejected', reason: 'upstream.format' })
    expect(sts.requests).toHaveLength(1)
  })

  const BAD_VALUES: [string, Parameters<typeof assumeRoleXml>[0]][] = [
    ...(['accessKeyId', 'secretAccessKey', 'sessionToken', 'expiration'] as const).flatMap((field) =>
      [undefined, '', ' ', '\t\n'].map((value): (typeof BAD_VALUES)[0] => [
        `${field} ${JSON.stringify(value)}`,
        { [field]: value },
      ]),
    ),
    ['lower-case key id', { accessKeyId: 'asiaiosfodnn7example' }],
    ['short key id', { accessKeyId: 'ASIA' }],
    ['secret of two words', { secretAccessKey: 'two words' }],
    ['token of 20 kB', { sessionToken: 'T'.repeat(20_000) }],
    ['token of 1 MB', { sessionToken: 'T'.repeat(1_000_000) }],
    ['token with a line break', { sessionToken: 'token&#10;with line' }],
    ['expiry that is no date', { expiration: 'tomorrow' }],
  ]
  it.each(BAD_VALUES)('U17 %s: rejected', async (_name, changes) => {
    sts.script = answer(assumeRoleXml(changes))
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_rejected', reason: 'upstream.format' })
  })

  const inside = (xml: string) => assumeRoleXml().replace('<PackedPolicySize>', `${xml}<PackedPolicySize>`)
  it.each<[string, string | Uint8Array]>([
    ['DOCTYPE', `<!DOCTYPE a>${assumeRoleXml()}`],
    ['DOCTYPE after the prolog', `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]>${assumeRoleXml()}`],
    ['external entity', `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>${assumeRoleXml()}`],
    ['CDATA', assumeRoleXml({ secretAccessKey: `<![CDATA[${SESSION.secretAccessKey}]]>` })],
    ['comment in a value', assumeRoleXml({ accessKeyId: 'ASIAIOSFODNN7<!-- x -->EXAMPLE' })],
    ['processing instruction', inside('<?php echo 1 ?>')],
    ['second Credentials', inside('<Credentials><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId></Credentials>')],
    ['second Credentials elsewhere', assumeRoleXml().replace('</AssumeRoleResponse>', '<Credentials/>$&')],
    ['second AccessKeyId', inside('<AccessKeyId>ASIAIOSFODNN7EXAMPL2</AccessKeyId>')],
    ['second document', `${assumeRoleXml()}<x/>`],
    ['text after the end', `${assumeRoleXml()}x>`],
    ['namespace prefix', inside('<a:Arn xmlns:a="urn:x">x</a:Arn>')],
    ['attribute', inside('<Extra a="b">x</Extra>')],
    ['crossed elements', inside('<Aa><Bb></Aa></Bb>')],
    ['17 levels', inside([...'abcdefghijklmno'].reduce((xml, name) => `<X${name}>${xml}</X${name}>`, ''))],
    ['unclosed 10,000 levels', inside('<a>'.repeat(10_000))],
    ['not UTF-8', Buffer.from(assumeRoleXml().replace('vm-1<', 'vm-1\xff<'), 'latin1')],
    ['UTF-16', Buffer.from(assumeRoleXml(), 'utf16le')],
  ])('U19 %s: refused before the parser', async (_name, xml) => {
    expect(readStsAnswer(Buffer.from(xml), 'AssumeRoleResponse')).toBeUndefined()
    sts.script = answer(xml)
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_rejected', reason: 'upstream.format' })
  })

  it.each([200, 500])('U19 70 KiB with status %d: cut off', async (status) => {
    sts.script = answer(inside(' '.repeat(70_000)), status)
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_rejected', reason: 'upstream.format' })
  })

  it('U19 an XML prolog and self-closing elements are fine', async () => {
    sts.script = answer(`<?xml version="1.0" encoding="UTF-8"?>\n${inside('<Extra/>')}\n`)
    await expect(issue()).resolves.toBeDefined()
  })

  it.each([
    ['past', '2026-08-22T11:59:59Z', 'upstream.expiry'],
    ['now', '2026-08-22T12:00:00Z', 'upstream.expiry'],
    ['20 minutes too late', '2026-08-22T13:20:00Z', 'upstream.expiry'],
    ['30 days', '2026-09-22T13:00:00Z', 'upstream.expiry'],
  ])('U25 expiry: %s: rejected', async (_name, expiration, reason) => {
    sts.script = answer(assumeRoleXml({ expiration }))
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_rejected', reason })
  })

  it('U25 a Date header 20 minutes off does not change what time we sign for', async () => {
    const made = issuer()
    sts.script = answer(assumeRoleXml(), 200, { date: new Date(Date.now() + 1_200_000).toUTCString() })
    await made.issue(GRANT, context())
    await made.issue(GRANT, context())
    for (const { headers } of sts.requests) {
      const signedFor = Date.parse(String(headers['x-amz-date']).replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:'))
      expect(Math.abs(signedFor - Date.now())).toBeLessThan(600_000)
    }
  })

  it.each([
    ['other account', 'arn:aws:sts::444455556666:assumed-role/reader/vm-1'],
    ['other partition', 'arn:aws-cn:sts::111122223333:assumed-role/reader/vm-1'],
    ['other role', 'arn:aws:sts::111122223333:assumed-role/writer/vm-1'],
    ['other session', 'arn:aws:sts::111122223333:assumed-role/reader/vm-2'],
    ['the path in it', 'arn:aws:sts::111122223333:assumed-role/app/reader/vm-1'],
    ['the role itself', 'arn:aws:iam::111122223333:role/app/reader'],
    ['none', undefined],
  ])('U17 assumed-role ARN: %s: rejected', async (_name, arn) => {
    sts.script = answer(assumeRoleXml({ arn }))
    await expect(issue()).rejects.toMatchObject({ code: 'upstream_rejected', reason: 'upstream.mismatch' })
  })

  it('U08 L18 a session that does not fit the grant is an orphan: it exists, and nobody gets it', async () => {
    const onOrphan = jest.fn<(record: AuditRecord) => void>()
    sts.script = answer(assumeRoleXml({ arn: 'arn:aws:sts::444455556666:assumed-role/reader/vm-1' }))
    await expect(issue({}, { onOrphan })).rejects.toMatchObject({ reason: 'upstream.mismatch' })
    const record = { event: 'orphan_grant', requestId: 'req-1', aws_access_key_id: SESSION.accessKeyId }
    expect(onOrphan.mock.calls).toEqual([[expect.objectContaining(record)]])
  })

  it('U17 another source identity than ours: rejected', async () => {
    sts.script = answer(assumeRoleXml({ sourceIdentity: 'someone' }))
    await expect(issue({ sourceIdentity: 'sa@example.com' })).rejects.toMatchObject({ reason: 'upstream.mismatch' })
    await expect(issue({ sourceIdentity: 'someone' })).resolves.toBeDefined()
    await expect(issue()).resolves.toBeDefined()
  })

  it('P18 the session policy seems not to have been seen: refused where the grant demands it', async () => {
    sts.script = answer(assumeRoleXml({ packedPolicySize: undefined }))
    const grant = { sessionPolicy: POLICY, requirePackedPolicySize: true }
    await expect(issue(grant)).rejects.toMatchObject({ reason: 'upstream.policy_unseen' })
    await expect(issue({ ...grant, requirePackedPolicySize: false })).resolves.toBeDefined()
    sts.script = answer(assumeRoleXml())
    await expect(issue(grant)).resolves.toBeDefined()
  })
})

describe('over TLS', () => {
  it('U10 asks the regional endpoint of AWS over TLS, whatever AWS_ENDPOINT_URL says', async () => {
    process.env.AWS_ENDPOINT_URL = process.env.AWS_ENDPOINT_URL_STS = sts.endpoint
    const limits = { attemptTimeoutMs: 50, connectTimeoutMs: 50, ca: undefined }
    const clients = createStsClients({
      ...limits,
      credentials: { accessKeyId: 'A', secretAccessKey: 'S' },
      signerConstructor: undefined,
      endpointOf: () => undefined,
    })
    try {
      const { sdk, client } = await clients.get('eu-west-1')
      const handle = jest.fn((..._: unknown[]) => Promise.reject(new Error('seen enough')))
      Object.assign(client.config, { requestHandler: { handle, metadata: {} } })
      await expect(client.send(new sdk.GetSessionTokenCommand({}))).rejects.toThrow('seen enough')
      expect(handle).toHaveBeenCalledWith(
        expect.objectContaining({ protocol: 'https:', hostname: 'sts.eu-west-1.amazonaws.com' }),
        expect.anything(),
      )
    } finally {
      delete process.env.AWS_ENDPOINT_URL
      delete process.env.AWS_ENDPOINT_URL_STS
    }
  })

  it('U10 U28 a certificate for another name, or of another CA: unavailable, and nothing is sent', async () => {
    const pki = await createTestPki()
    const { certPem, keyPem } = await pki.issue({
      commonName: 'sts.eu-west-1.amazonaws.com',
      usage: 'server',
      dns: ['sts.eu-west-1.amazonaws.com'],
    })
    const onRequest = jest.fn()
    const server = https.createServer({ cert: certPem, key: keyPem }, onRequest).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    for (const init of [{ endpoint, ca: pki.caPem }, { endpoint }]) {
      await expect(issue({}, init)).rejects.toMatchObject({ code: 'upstream_unavailable', reason: 'upstream.connect' })
    }
    expect(onRequest).not.toHaveBeenCalled()
    server.close()
  })

  it('U10 a certificate we trust, whatever HTTPS_PROXY says', async () => {
    const pki = await createTestPki()
    const { certPem, keyPem } = await pki.issue({ commonName: 'sts', usage: 'server', ip: ['127.0.0.1'] })
    const server = https.createServer({ cert: certPem, key: keyPem }, (_req, res) => res.end(assumeRoleXml()))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const names = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY']
    for (const name of names) process.env[name] = 'http://127.0.0.1:1'
    try {
      await expect(issue({}, { endpoint, ca: pki.caPem })).resolves.toBeDefined()
    } finally {
      for (const name of names) delete process.env[name]
      server.closeAllConnections()
      server.close()
    }
  })
})
