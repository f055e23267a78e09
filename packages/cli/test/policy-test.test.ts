import { debugClaims, startIssuer, type TestIssuer } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { AUDIENCE, type Folder, hardbound, makeFolder, POLICY, ROLE } from './helpers.ts'

let folder: Folder
let issuer: TestIssuer
let jwks: string
let policy: string
let token: string

beforeAll(async () => {
  folder = await makeFolder()
  issuer = await startIssuer()
  jwks = await folder.write('jwks.json', JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }))
  policy = await folder.write('policy.yaml', JSON.stringify(POLICY))
  token = issuer.token({ audience: AUDIENCE })
})
afterAll(async () => {
  await issuer?.close()
  await folder?.remove()
})

interface Result {
  readonly grants: boolean
  readonly verified: boolean
  readonly decision: { allow: boolean; reason?: string; grant?: object }
  readonly checks: { check: string; outcome: string }[]
  readonly rules: { rule: string; conditions: { condition: string; held: boolean }[] }[]
}

async function test(stdin: string, ...args: string[]) {
  const command = ['policy', 'test', policy, '--token', '-', '--json', ...args]
  const { code, stdout, stderr } = await hardbound(command, { stdin })
  const result = JSON.parse(stdout) as Result
  expect(code).toBe(result.grants ? 0 : 1)
  return { stderr, ...result }
}

const failed = ({ rules }: Result): string[] =>
  rules.flatMap(({ conditions }) => conditions.filter(({ held }) => !held).map(({ condition }) => condition))

describe('hardbound policy test', () => {
  it('grants, and says that it verified nothing', async () => {
    const result = await test(token)
    expect(result).toMatchObject({ grants: true, verified: false, decision: { grant: { roleArn: ROLE } } })
    expect(result.stderr).toContain('NOT VERIFIED')
    expect(failed(result)).toEqual([])
  })

  it('verifies with keys and an audience', async () => {
    const result = await test(token, '--jwks', jwks, '--audience', AUDIENCE)
    expect(result).toMatchObject({ grants: true, verified: true, stderr: '' })
  })

  it('J11 does not grant where the signature fails, though a rule would', async () => {
    const other = await startIssuer()
    const forged = other.sign({ ...payloadOf(token) }, { header: { kid: issuer.keys[0]!.kid } })
    await other.close()
    const result = await test(forged, '--jwks', jwks, '--audience', AUDIENCE)
    expect(result).toMatchObject({ grants: false, verified: false, decision: { allow: true } })
    expect(result.checks).toContainEqual(expect.objectContaining({ check: 'jwt.sig', outcome: 'fail' }))
  })

  it('K15 does not grant for another audience', async () => {
    const result = await test(token, '--jwks', jwks, '--audience', 'https://other.example.com')
    expect(result.grants).toBe(false)
  })

  it('takes an old token without keys, and as of a time with them', async () => {
    const iat = Math.floor(Date.parse('2026-01-01T00:00:00Z') / 1000)
    const old = issuer.token({ audience: AUDIENCE, claims: { iat, nbf: iat, exp: iat + 3600 } })
    expect((await test(old)).grants).toBe(true)
    expect((await test(old, '--jwks', jwks)).grants).toBe(false)
    expect((await test(old, '--jwks', jwks, '--at', '2026-01-01T00:01:00Z')).grants).toBe(true)
  })

  it('K04 does not grant to a debug image, though a rule would', async () => {
    const submods = { confidential_space: { support_attributes: undefined } }
    const result = await test(issuer.token({ audience: AUDIENCE, claims: { ...debugClaims(), submods } }))
    expect(result).toMatchObject({ grants: false, decision: { allow: true } })
    expect(result.checks).toContainEqual(expect.objectContaining({ check: 'claim.dbgstat', outcome: 'fail' }))
  })

  it('K01 names the condition that does not hold, rule by rule', async () => {
    const claims = { submods: { container: { image_digest: `sha256:${'00'.repeat(32)}` } } }
    const other = issuer.token({ audience: AUDIENCE, claims })
    const result = await test(other)
    expect(result.decision).toMatchObject({ allow: false, reason: 'claim.image_digest' })
    expect(failed(result)).toEqual(['claim.image_digest'])
    const { stdout, code } = await hardbound(['policy', 'test', policy, '--token', '-'], { stdin: other })
    expect(code).toBe(1)
    expect(stdout).toMatch(/NOT held\s+claim\.image_digest/)
    expect(stdout).toContain('denied: claim.image_digest')
  })

  it('P11 P14 decides for a request and a protocol', async () => {
    const ask = async (request: object) =>
      test(token, '--request', await folder.write('r.json', JSON.stringify(request)))
    const granted = await ask({ target: 'aws', role_arn: ROLE, duration_seconds: 900 })
    expect(granted.decision).toMatchObject({ allow: true, grant: { durationSeconds: 900 } })
    const other = await ask({ target: 'aws', role_arn: 'arn:aws:iam::444455556666:role/writer' })
    expect(other.decision).toMatchObject({ allow: false, reason: 'request.role_arn' })
    expect((await test(token, '--protocol', 'go-v1')).decision).toMatchObject({ allow: false, reason: 'protocol' })
  })

  it('T07 decides for a TLS client', async () => {
    const spki = 'ab'.repeat(32)
    const [rule] = POLICY.rules
    const peer = { spki_sha256: [spki], dns: ['app.example.com'] }
    const file = await folder.write('peer.yaml', JSON.stringify({ ...POLICY, rules: [{ ...rule, peer }] }))
    const run = (...args: string[]) => hardbound(['policy', 'test', file, '--token', '-', ...args], { stdin: token })
    expect((await run()).code).toBe(1)
    expect((await run('--peer-spki', spki, '--peer-dns', 'app.example.com')).code).toBe(0)
    expect((await run('--peer-spki', 'AB')).code).toBe(2)
  })

  it('tells tokens of type PKI apart', async () => {
    const [rule] = POLICY.rules
    const workload = { ...rule!.workload, issuer: 'google-pki' }
    const file = await folder.write('pki.yaml', JSON.stringify({ ...POLICY, rules: [{ ...rule, workload }] }))
    const run = (stdin: string) => hardbound(['policy', 'test', file, '--token', '-'], { stdin })
    expect((await run(issuer.token({ audience: AUDIENCE, tokenType: 'PKI' }))).code).toBe(0)
    expect((await run(token)).code).toBe(1)
  })

  it.each([
    ['P01 no policy', () => ['policy', 'test', '/nowhere.yaml', '--token', '-'], 'nowhere.yaml does not exist'],
    ['K05 a token that no configuration accepts', () => ['policy', 'test', policy, '--token', '-'], 'claim.swname'],
  ])('%s: exit code 1, and says why', async (_, args, why) => {
    const { code, stdout, stderr } = await hardbound(args(), {
      stdin: issuer.token({ audience: AUDIENCE, claims: { swname: 'GCE' } }),
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(why)
  })

  it.each(['{"target":"aws","role":"hunter2"}', '{"target":"hunter2"}', 'hunter2'])(
    'P15 names the field of a request that is none: %s',
    async (text) => {
      const request = await folder.write('bad.json', text)
      const { code, stderr } = await hardbound(['policy', 'test', policy, '--token', '-', '--request', request], {
        stdin: token,
      })
      expect(code).toBe(1)
      expect(stderr).toContain('--request')
      expect(stderr).not.toContain('hunter2')
    },
  )
})

const payloadOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString()) as object
