import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import {
  awsError,
  hangs,
  hugeBody,
  plainPage,
  redirects,
  resets,
  type SessionAnswer,
  startRolesAnywhere,
  type TestRolesAnywhere,
  throttled,
  withCredentialSets,
  withCredentials,
} from '../src/roles-anywhere.ts'
import { askUrl } from './helpers.ts'
import { ANCHOR, AUTHORITY, createWorkshop, PROFILE, post, ROLE } from './roles-anywhere-helpers.ts'

const workshop = createWorkshop()
const root = workshop.certify({ subject: '/CN=Root', extensions: AUTHORITY })
const leaf = workshop.certify({ subject: '/CN=worked.example', issuer: root })
let ra: TestRolesAnywhere
beforeAll(async () => {
  ra = await startRolesAnywhere()
  ra.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem })
  ra.addProfile({ arn: PROFILE, roleArns: [ROLE] })
})
afterEach(() => {
  ra.fault = undefined
  ra.answer = undefined
})
afterAll(async () => {
  await ra.close()
  workshop.remove()
})
const ask = () => post(ra, { identity: leaf })

describe('faults', () => {
  it('U04 throttles, with and without Retry-After', async () => {
    ra.fault = throttled(2)
    const slow = await ask()
    expect(slow).toMatchObject({ status: 429, headers: { 'retry-after': '2' }, json: { message: 'Rate exceeded' } })
    expect(slow.headers['x-amzn-errortype']).toBe('TooManyRequestsException')
    ra.fault = throttled()
    expect((await ask()).headers['retry-after']).toBeUndefined()
  })

  it('U20 errors of the service, also with status 200', async () => {
    ra.fault = awsError(200, 'AccessDeniedException', { message: 'no', headers: { 'x-extra': '1' } })
    expect(await ask()).toMatchObject({ status: 200, headers: { 'x-extra': '1' }, json: { message: 'no' } })
  })

  it('pages and redirects', async () => {
    ra.fault = plainPage(502)
    expect(await ask()).toMatchObject({ status: 502, headers: { 'content-type': 'text/html' } })
    ra.fault = redirects(307, 'http://127.0.0.1:1/')
    expect(await ask()).toMatchObject({ status: 307, headers: { location: 'http://127.0.0.1:1/' } })
  })

  it('bodies of any length', async () => {
    ra.fault = hugeBody(100_000)
    const { status, text } = await ask()
    expect([status, text.length]).toEqual([201, 100_000])
    expect(() => JSON.parse(text)).not.toThrow()
  })

  it.each(['headers', 'body'] as const)('U05 U06 U07 hangs and resets: %s', async (where) => {
    ra.fault = resets(where)
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' })
    ra.fault = hangs(where)
    const gaveUp = new AbortController()
    const arrived = ra.requests.length
    const answer = askUrl(ra.endpoint, { signal: gaveUp.signal })
    while (ra.requests.length === arrived) await new Promise(setImmediate)
    gaveUp.abort()
    await expect(answer).rejects.toThrow('aborted')
  })

  it('counts every request', async () => {
    ra.requests.length = 0
    ra.fault = plainPage(500)
    await ask()
    ra.fault = undefined
    await ask()
    expect(ra.requests).toMatchObject([{ method: 'POST', path: '/sessions' }, { path: '/sessions' }])
  })
})

describe('U20 answers that are not in order', () => {
  const answered = async () => (await ask()).json as unknown as SessionAnswer
  it('without a member, and with another one', async () => {
    ra.answer = withCredentials({ expiration: undefined, accessKeyId: '' })
    const [set] = (await answered()).credentialSet
    expect(set?.credentials).toEqual({
      accessKeyId: '',
      secretAccessKey: expect.any(String),
      sessionToken: expect.any(String),
    })
    expect(set?.roleArn).toBe(ROLE)
  })

  it('with no credential set, and with two', async () => {
    ra.answer = withCredentialSets(0)
    expect((await answered()).credentialSet).toEqual([])
    ra.answer = withCredentialSets(2)
    expect((await answered()).credentialSet).toHaveLength(2)
  })

  it('text', async () => {
    ra.answer = () => '{"credentialSet":'
    ra.calls.length = 0
    await expect(ask()).rejects.toThrow(SyntaxError)
    expect(ra.calls).toHaveLength(1)
  })
})
