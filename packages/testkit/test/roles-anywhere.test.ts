import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { startAws, type TestAws } from '../src/index.ts'
import { type SessionAnswer, startRolesAnywhere, type TestRolesAnywhere } from '../src/roles-anywhere.ts'
import {
  ANCHOR,
  AUTHORITY,
  createWorkshop,
  encodeQuery,
  LEAF,
  type Made,
  PROFILE,
  post,
  ROLE,
} from './roles-anywhere-helpers.ts'

const workshop = createWorkshop()
const root = workshop.certify({ subject: '/O=Example/CN=Root', extensions: AUTHORITY })
const middle = workshop.certify({ subject: '/O=Example/CN=Middle', extensions: AUTHORITY, issuer: root })
const subject = '/C=US/O=Example/OU=Security/OU=Research/CN=worked.example'
const extensions = [...LEAF, 'subjectAltName=DNS:worked.example,DNS:two.example,URI:spiffe://example.com/worked']
const leaf = workshop.certify({ subject, issuer: middle, extensions, serial: '0x0123456789abcdef' })

let aws: TestAws
let ra: TestRolesAnywhere
beforeAll(async () => {
  aws = await startAws()
  aws.addBucket('reports', { 'a.txt': 'text' })
  ra = await startRolesAnywhere({ aws })
  ra.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem })
})
beforeEach(() => {
  ra.addProfile({ arn: PROFILE, roleArns: [ROLE] })
  for (const list of [ra.calls, ra.refusals, ra.requests]) list.length = 0
})
afterAll(async () => {
  await Promise.all([ra.close(), aws.close()])
  workshop.remove()
})

const credentialsOf = ({ json }: Awaited<ReturnType<typeof post>>) => {
  const { accessKeyId, secretAccessKey, sessionToken } = (json as unknown as SessionAnswer).credentialSet[0]!
    .credentials
  return { accessKeyId, secretAccessKey, sessionToken }
}

describe('CreateSession', () => {
  it.each([
    ['RSA', 'rsa', 'AWS4-X509-RSA-SHA256'],
    ['P-256', 'ec', 'AWS4-X509-ECDSA-SHA256'],
    ['P-384', 'p384', 'AWS4-X509-ECDSA-SHA256'],
  ] as const)('S01 takes what openssl signed with %s', async (_, key, algorithm) => {
    const identity: Made = workshop.certify({ subject, key, issuer: middle })
    const signer = (message: Buffer) =>
      workshop.openssl(['dgst', '-sha256', '-sign', workshop.write(identity.keyPem)], message)
    const answer = await post(ra, { identity, algorithm, chain: [middle.der], signer })
    expect(answer.status).toBe(201)
    expect(ra.calls).toMatchObject([{ algorithm, chainLength: 1 }])
  })

  it('answers as the service does', async () => {
    const { headers, json } = await post(ra, { identity: leaf, chain: [middle.der] })
    expect(headers['x-amzn-requestid']).toMatch(/^[\da-f-]{36}$/)
    const arn = 'arn:aws:sts::111122223333:assumed-role/Reader/0123456789abcdef'
    expect(json).toEqual({
      credentialSet: [
        {
          assumedRoleUser: { arn, assumedRoleId: expect.stringMatching(/^AROA\w{17}:0123456789abcdef$/) },
          credentials: {
            accessKeyId: expect.stringMatching(/^ASIA\w{16}$/),
            expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
            secretAccessKey: expect.any(String),
            sessionToken: expect.any(String),
          },
          packedPolicySize: expect.any(Number),
          roleArn: ROLE,
          sourceIdentity: 'CN=worked.example',
        },
      ],
      subjectArn: expect.stringMatching(/^arn:aws:rolesanywhere:us-east-1:111122223333:subject\/[\da-f-]{36}$/),
    })
    expect(ra.calls).toEqual([
      {
        roleArn: ROLE,
        profileArn: PROFILE,
        trustAnchorArn: ANCHOR,
        serial: '81985529216486895',
        subject: 'CN=worked.example,OU=Research,OU=Security,O=Example,C=US',
        algorithm: 'AWS4-X509-ECDSA-SHA256',
        signedHeaders: ['content-type', 'host', 'x-amz-date', 'x-amz-x509', 'x-amz-x509-chain'],
        amzDate: expect.stringMatching(/^\d{8}T\d{6}Z$/),
        durationSeconds: 900,
        requestedSeconds: 900,
        chainLength: 1,
        arnsIn: 'query',
        accessKeyId: credentialsOf({ json } as never).accessKeyId,
        at: expect.any(Number),
      },
    ])
  })

  it('gives sessions that STS and S3 take, and that chain on to another role', async () => {
    const credentials = credentialsOf(await post(ra, { identity: leaf, chain: [middle.der] }))
    const common = { region: 'us-east-1', endpoint: aws.endpoint, credentials }
    const sts = new STSClient(common)
    const s3 = new S3Client({ ...common, forcePathStyle: true })
    const identity = await sts.send(new GetCallerIdentityCommand())
    expect(identity.Arn).toBe('arn:aws:sts::111122223333:assumed-role/Reader/0123456789abcdef')
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))).KeyCount).toBe(1)
    const other = 'arn:aws:iam::444455556666:role/Other'
    aws.addRole({ arn: other, trusts: [ROLE] })
    const next = await sts.send(new AssumeRoleCommand({ RoleArn: other, RoleSessionName: 'worked' }))
    expect(next.SourceIdentity).toBe('CN=worked.example')
    sts.destroy()
    s3.destroy()
  })

  it('cuts sessions down to the policy of the profile', async () => {
    const Statement = { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }
    ra.addProfile({ arn: PROFILE, roleArns: [ROLE], sessionPolicy: JSON.stringify({ Statement }) })
    const credentials = credentialsOf(await post(ra, { identity: leaf, chain: [middle.der] }))
    const s3 = new S3Client({ region: 'us-east-1', endpoint: aws.endpoint, credentials, forcePathStyle: true })
    await expect(s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))).rejects.toThrow('Denied')
    s3.destroy()
  })

  it('takes ARNs in the body, no body at all, and headers as the Go helper sends them', async () => {
    const arns = { profileArn: PROFILE, roleArn: ROLE, trustAnchorArn: ANCHOR }
    const chain = [middle.der]
    const inBody = await post(ra, { identity: leaf, chain, query: '', body: { ...arns, durationSeconds: 1000 } })
    const bare = await post(ra, { identity: leaf, chain, body: '', headers: { 'content-type': undefined } })
    const headers = {
      'amz-sdk-invocation-id': '6f0b2b6c-4a54-4f0c-9d3e-0f4a1d6c7b11',
      'amz-sdk-request': 'attempt=1; max=3',
    }
    const go = await post(ra, {
      identity: leaf,
      chain,
      headers,
      late: { headers: { 'user-agent': 'CredHelper/1.8.0' } },
    })
    expect([inBody.status, bare.status, go.status]).toEqual([201, 201, 201])
    expect(ra.calls).toMatchObject([
      { arnsIn: 'body', requestedSeconds: 1000 },
      { durationSeconds: 3600, arnsIn: 'query' },
      { attempt: 'attempt=1; max=3' },
    ])
    expect(ra.requests.map(({ attempt }) => attempt)).toEqual([undefined, undefined, 'attempt=1; max=3'])
  })

  it('lasts the shorter of what was asked for and what the profile has', async () => {
    ra.addProfile({ arn: PROFILE, roleArns: [ROLE], durationSeconds: 7200 })
    const chain = [middle.der]
    await post(ra, { identity: leaf, chain, body: { durationSeconds: 43_200 } })
    await post(ra, { identity: leaf, chain, body: {} })
    await post(ra, { identity: leaf, chain, body: { durationSeconds: 900 } })
    expect(ra.calls.map(({ durationSeconds }) => durationSeconds)).toEqual([7200, 7200, 900])
  })

  it('takes a session name where the profile does', async () => {
    ra.addProfile({ arn: PROFILE, roleArns: [ROLE], acceptRoleSessionName: true })
    const { json } = await post(ra, { identity: leaf, chain: [middle.der], body: { roleSessionName: 'worked' } })
    const [set] = (json as unknown as SessionAnswer).credentialSet
    expect(set?.assumedRoleUser.arn).toBe('arn:aws:sts::111122223333:assumed-role/Reader/worked')
    expect(ra.calls).toMatchObject([{ roleSessionName: 'worked' }])
  })

  it('ends sessions early when told to, and follows its clock', async () => {
    const nowMs = Date.now() + 3_600_000
    const other = await startRolesAnywhere({ aws, clock: () => nowMs })
    other.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem })
    other.addProfile({ arn: PROFILE, roleArns: [ROLE] })
    other.shortenSessionsTo = 5
    const { headers, json } = await post(other, { identity: leaf, chain: [middle.der], nowMs })
    await other.close()
    const [set] = (json as unknown as SessionAnswer).credentialSet
    const second = Math.floor(nowMs / 1000) * 1000
    expect(Date.parse(set!.credentials.expiration)).toBe(second + 5000)
    expect(Date.parse(headers.date!)).toBe(second)
  })

  it('speaks TLS with a certificate of its own authority', async () => {
    const other = await startRolesAnywhere({ tls: true })
    other.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem })
    other.addProfile({ arn: PROFILE, roleArns: [ROLE] })
    expect((await post(other, { identity: leaf, chain: [middle.der] })).status).toBe(201)
    expect(other.endpoint).toBe(`https://127.0.0.1:${other.port}`)
    await other.close()
    await other.close()
  })
})

describe('conditions of a role', () => {
  const ask = () => post(ra, { identity: leaf, chain: [middle.der], body: { durationSeconds: 3600 } })
  it.each([
    ['x509Subject/CN', 'worked.example'],
    ['x509Subject/OU', 'Security/Research'],
    ['x509Issuer/CN', ['Other', 'Middle']],
    ['x509SAN/DNS', 'worked.example'],
    ['x509SAN/URI', 'spiffe://example.com/worked'],
  ])('%s', async (key, value) => {
    ra.addRole({ arn: ROLE, conditions: { [key]: value } })
    expect((await ask()).status).toBe(201)
    ra.addRole({ arn: ROLE, conditions: { [key]: 'else' } })
    const refused = await ask()
    ra.addRole({ arn: ROLE })
    expect(refused).toMatchObject({ status: 403, json: { message: `Unable to assume role for ${ROLE}` } })
    expect(ra.refusals).toMatchObject([{ detail: `the condition on ${key} does not hold` }])
  })

  it('names attributes that cannot be tags, trust anchors and longest sessions', async () => {
    const strange = workshop.certify({ subject: '/CN=a*b', issuer: root })
    ra.addRole({ arn: ROLE, conditions: { 'x509Subject/CN': 'a*b' } })
    const { json } = await post(ra, { identity: strange })
    ra.addRole({ arn: ROLE, trustAnchorArns: [`${ANCHOR}2`] })
    await ask()
    ra.addRole({ arn: ROLE, maxSessionSeconds: 1800 })
    await ask()
    ra.addRole({ arn: ROLE })
    const failed = 'Some attributes failed to be mapped into session tags. Issuer: [  ]; Subject: [ CN ]; SAN: [  ]'
    expect(json.message).toBe(`Unable to assume role for ${ROLE}. ${failed}`)
    expect(ra.refusals.slice(1)).toMatchObject([
      { detail: 'aws:SourceArn is another trust anchor' },
      { detail: 'the session would be longer than MaxSessionDuration of the role' },
    ])
  })
})

it('source identity: an empty prefix for long names, the serial where there is no name', async () => {
  const identityOf = async (name: string, serial: string) => {
    const identity = workshop.certify({ subject: name, issuer: root, serial })
    const { json } = await post(ra, {
      identity,
      query: encodeQuery({ profileArn: PROFILE, roleArn: ROLE, trustAnchorArn: ANCHOR }),
    })
    return (json as unknown as SessionAnswer).credentialSet[0]?.sourceIdentity
  }
  expect(await identityOf(`/CN=${'n'.repeat(61)}`, '291')).toBe(`CN=${'n'.repeat(61)}`)
  expect(await identityOf(`/CN=${'n'.repeat(62)}`, '291')).toBe('n'.repeat(62))
  expect(await identityOf('/O=Example', '291')).toBe('ID=0123')
  expect(await identityOf('/O=Example', '0x00ff01')).toBe('ID=ff01')
})
