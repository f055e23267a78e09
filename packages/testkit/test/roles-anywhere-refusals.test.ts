import { createPrivateKey, sign } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { startRolesAnywhere, type TestRolesAnywhere } from '../src/roles-anywhere.ts'
import {
  ANCHOR,
  AUTHORITY,
  type Change,
  createWorkshop,
  encodeQuery,
  LEAF,
  PROFILE,
  post,
  ROLE,
} from './roles-anywhere-helpers.ts'

const workshop = createWorkshop()
const root = workshop.certify({ subject: '/O=Example/CN=Root', extensions: AUTHORITY })
const leaf = workshop.certify({ subject: '/CN=worked.example', issuer: root })
const rsa = workshop.certify({ subject: '/CN=worked.example', issuer: root, key: 'rsa' })
const arns = { profileArn: PROFILE, roleArn: ROLE, trustAnchorArn: ANCHOR }

let ra: TestRolesAnywhere
beforeAll(async () => {
  ra = await startRolesAnywhere()
  ra.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem })
})
beforeEach(() => {
  ra.addProfile({ arn: PROFILE, roleArns: [ROLE] })
  ra.refusals.length = 0
})
afterAll(async () => {
  await ra.close()
  workshop.remove()
})

const ask = (change: Partial<Change> = {}) => post(ra, { identity: leaf, ...change })
const at = (seconds: number): Partial<Change> => ({ nowMs: Date.now() + seconds * 1000 })
const HEADERS = ['content-type', 'host', 'x-amz-date', 'x-amz-x509']

it('takes what the refused requests differ from', async () => {
  expect((await ask()).status).toBe(201)
  expect((await ask(at(295))).status).toBe(201)
  expect((await ask(at(-295))).status).toBe(201)
  expect((await ask({ identity: rsa })).status).toBe(201)
})

describe('signatures: 403 AccessDeniedException, "Invalid signature"', () => {
  const signature = (change: (good: Buffer) => Buffer): Partial<Change> => ({
    signer: (message, key) => change(sign('sha256', message, key)),
  })
  it.each<[string, Partial<Change>, RegExp]>([
    [
      'another key signed (S11)',
      { signer: (message) => sign('sha256', message, root.keyPem) },
      /not one of the certificate/,
    ],
    [
      'a bit is wrong',
      signature((good) => Buffer.concat([good.subarray(0, -1), Buffer.from([good.at(-1)! ^ 1])])),
      /not one of the certificate/,
    ],
    ['ECDSA with SHA-384', { signer: (message, key) => sign('sha384', message, key) }, /not one of the certificate/],
    [
      'S15 ECDSA in raw form',
      { signer: (message, key) => sign('sha256', message, { key: createPrivateKey(key), dsaEncoding: 'ieee-p1363' }) },
      /not one of the certificate/,
    ],
    [
      'RSASSA-PSS',
      { identity: rsa, signer: (message, key) => sign('sha256', message, { key, padding: 6, saltLength: 32 }) },
      /not one of the certificate/,
    ],
    ['the body changed', { late: { body: '{"durationSeconds":901}' } }, /not one of the certificate/],
    [
      'a query changed',
      { late: { query: encodeQuery({ ...arns, roleArn: `${ROLE}2` }) } },
      /not one of the certificate/,
    ],
    [
      'a signed header changed',
      { late: { headers: { 'content-type': 'application/json;x' } } },
      /not one of the certificate/,
    ],
    [
      'another host',
      { late: { headers: { host: 'rolesanywhere.us-east-1.amazonaws.com' } } },
      /not one of the certificate/,
    ],
    ['RSA algorithm, EC certificate', { algorithm: 'AWS4-X509-RSA-SHA256' }, /with a certificate for ec/],
    [
      'ML-DSA algorithm, RSA certificate',
      { identity: rsa, algorithm: 'AWS4-X509-MLDSA' },
      /with a certificate for rsa/,
    ],
    ['another serial', { serial: '291' }, /Credential has serial 291/],
    ['S05 another region', { scope: scope('eu-west-1') }, /the scope is for eu-west-1/],
    ['S05 a FIPS region', { scope: scope('fips-us-east-1') }, /the scope is for fips-us-east-1/],
    ['another service', { scope: scope('us-east-1', 'sts') }, /the scope is for the service sts/],
    ['another day', { scope: '20200101/us-east-1/rolesanywhere/aws4_request' }, /the day of the scope/],
    ['S07 a clock 6 minutes slow', at(-360), /the clock is wrong: .* is 36[01] s behind/],
    ['S07 a clock 6 minutes fast', at(360), /the clock is wrong: .* is (359|360) s ahead/],
    ['host not signed', { signedHeaders: HEADERS.filter((name) => name !== 'host') }, /host is not signed/],
    [
      'x-amz-date not signed',
      { signedHeaders: HEADERS.filter((name) => name !== 'x-amz-date') },
      /x-amz-date is not signed/,
    ],
    [
      'x-amz-x509 not signed',
      { signedHeaders: HEADERS.filter((name) => name !== 'x-amz-x509') },
      /x-amz-x509 is not signed/,
    ],
    ['x-amz-x509-chain not signed', { chain: [root.der], signedHeaders: HEADERS }, /x-amz-x509-chain is not signed/],
    [
      'a signed header is missing',
      { signedHeaders: ['amz-sdk-request', ...HEADERS] },
      /amz-sdk-request is not in the request/,
    ],
  ])('%s', async (_, change, detail) => {
    const answer = await ask(change)
    expect(answer).toMatchObject({ status: 403, json: { message: 'Invalid signature' } })
    expect(answer.headers['x-amzn-errortype']).toMatch(/^AccessDeniedException:/)
    expect(ra.refusals).toEqual([
      {
        status: 403,
        code: 'AccessDeniedException',
        message: 'Invalid signature',
        detail: expect.stringMatching(detail),
      },
    ])
  })

  it('leaves no session behind', () => {
    expect(ra.calls.every(({ durationSeconds }) => durationSeconds === 900)).toBe(true)
    expect(ra.calls).toHaveLength(4)
  })

  it.each(['secp256k1', 'ed25519'] as const)('keys that the service does not take: %s', async (key) => {
    const identity = workshop.certify({ subject: '/CN=worked.example', issuer: root, key })
    const signer = () => Buffer.alloc(64)
    expect((await post(ra, { identity, signer })).json).toEqual({ message: 'Invalid signature' })
    expect(ra.refusals).toMatchObject([{ detail: `keys of type ${key} are not supported` }])
  })
})

describe('Authorization and X-Amz-Date', () => {
  const good =
    'AWS4-X509-ECDSA-SHA256 Credential=1/20261101/us-east-1/rolesanywhere/aws4_request, SignedHeaders=host, Signature='
  const hex = 'ab'.repeat(64)
  it.each<[string, Record<string, string | undefined>, string]>([
    ['none', { authorization: undefined }, 'MissingAuthenticationTokenException'],
    ['no certificate', { 'x-amz-x509': undefined }, 'MissingAuthenticationTokenException'],
    ['not hexadecimal', { authorization: `${good}xyz` }, 'IncompleteSignatureException'],
    ['upper-case hexadecimal', { authorization: good + hex.toUpperCase() }, 'IncompleteSignatureException'],
    ['HMAC', { authorization: good.replace('X509-ECDSA', 'HMAC') + hex }, 'IncompleteSignatureException'],
    ['hexadecimal serial', { authorization: good.replace('=1/', '=0xab/') + hex }, 'IncompleteSignatureException'],
    [
      'unsorted headers',
      { authorization: good.replace('=host', '=x-amz-date;host') + hex },
      'IncompleteSignatureException',
    ],
    ['repeated headers', { authorization: good.replace('=host', '=host;host') + hex }, 'IncompleteSignatureException'],
    ['no blank after the comma', { authorization: good.replaceAll(', ', ',') + hex }, 'IncompleteSignatureException'],
    ['no date', { 'x-amz-date': undefined }, 'IncompleteSignatureException'],
    ['another form of date', { 'x-amz-date': '2026-11-01T12:00:00Z' }, 'IncompleteSignatureException'],
    ['no such month', { 'x-amz-date': '20261301T120000Z' }, 'IncompleteSignatureException'],
  ])('%s', async (_, headers, code) => {
    await ask({ late: { headers } })
    expect(ra.refusals).toMatchObject([{ code }])
  })
})

describe('certificates: 403 AccessDeniedException, "Insufficient certificate"', () => {
  const certify = (o: Partial<Parameters<typeof workshop.certify>[0]>) =>
    workshop.certify({ subject: '/CN=worked.example', issuer: root, ...o })
  it.each<[string, () => Partial<Change>, RegExp]>([
    ['X.509 v1', () => ({ identity: certify({ extensions: [] }) }), /X\.509 v1/],
    ['of an authority', () => ({ identity: certify({ extensions: AUTHORITY }) }), /CA:TRUE/],
    ['no keyUsage', () => ({ identity: certify({ extensions: LEAF.slice(0, 1) }) }), /no digitalSignature/],
    [
      'other keyUsage',
      () => ({ identity: certify({ extensions: ['keyUsage=keyEncipherment'] }) }),
      /no digitalSignature/,
    ],
    ['SHA-1', () => ({ identity: certify({ hash: 'sha1' }) }), /weak or unknown/],
    ['SHA-224', () => ({ identity: certify({ hash: 'sha224' }) }), /weak or unknown/],
    ['empty subject', () => ({ identity: certify({ subject: '/' }) }), /empty subject/],
    ['six in the chain', () => ({ chain: Array(6).fill(root.der) }), /has 6 certificates/],
    [
      'a trailing comma in the chain',
      () => ({ headers: { 'x-amz-x509-chain': `${leaf.der.toString('base64')},` } }),
      /not base64/,
    ],
    ['base64url', () => ({ headers: { 'x-amz-x509': leaf.der.toString('base64url') } }), /not base64/],
    ['PEM', () => ({ headers: { 'x-amz-x509': Buffer.from(leaf.certPem).toString('base64') } }), /not DER/],
    ['cut short', () => ({ headers: { 'x-amz-x509': leaf.der.subarray(0, 90).toString('base64') } }), /not DER/],
    [
      'two in one',
      () => ({ headers: { 'x-amz-x509': Buffer.concat([leaf.der, leaf.der]).toString('base64') } }),
      /not DER/,
    ],
  ])('%s', async (_, change, detail) => {
    const answer = await ask(change())
    const message = 'Untrusted signing certificate. Insufficient certificate'
    expect(answer).toMatchObject({ status: 403, json: { message } })
    expect(ra.refusals).toMatchObject([{ code: 'AccessDeniedException', detail: expect.stringMatching(detail) }])
  })

  it('takes one without basicConstraints, and five in the chain', async () => {
    const identity = certify({ extensions: LEAF.slice(1) })
    expect((await ask({ identity, chain: Array(5).fill(root.der) })).status).toBe(201)
  })
})

it('answers to every certificate that has one wrong octet, and takes none', async () => {
  const step = 3
  const statuses = new Set<number>()
  for (let i = 0; i < leaf.der.length; i += step) {
    const der = Buffer.from(leaf.der)
    der[i]! ^= i % 2 === 0 ? 0x41 : 0xff
    statuses.add((await ask({ headers: { 'x-amz-x509': der.toString('base64') } })).status)
  }
  expect([...statuses]).toEqual([403])
})

describe('what the request, the profile and the role say', () => {
  const other = ANCHOR.replace('us-east-1', 'eu-west-1')
  const body = (members: object): Partial<Change> => ({ body: members })
  it.each<[string, Partial<Change>, number, string, RegExp]>([
    [
      'a role not in the profile',
      { query: { ...arns, roleArn: `${ROLE}2` } },
      403,
      'AccessDeniedException',
      /^Unable to assume role/,
    ],
    [
      'a session name',
      body({ roleSessionName: 'worked' }),
      403,
      'AccessDeniedException',
      /^Not authorized to set roleSessionName$/,
    ],
    [
      'an unknown trust anchor',
      { query: { ...arns, trustAnchorArn: `${ANCHOR}2` } },
      404,
      'ResourceNotFoundException',
      /^Trust anchor/,
    ],
    [
      'an unknown profile',
      { query: { ...arns, profileArn: `${PROFILE}2` } },
      404,
      'ResourceNotFoundException',
      /^Profile/,
    ],
    ['two regions', { query: { ...arns, trustAnchorArn: other } }, 400, 'ValidationException', /same region/],
    [
      'no role',
      { query: encodeQuery(arns).replace(/&roleArn=[^&]+/, '') },
      400,
      'ValidationException',
      /'roleArn' .* not be null/,
    ],
    ['another ARN', { query: { ...arns, roleArn: PROFILE } }, 400, 'ValidationException', /at 'roleArn'/],
    [
      'an ARN twice',
      { query: `${encodeQuery(arns)}&trustAnchorArn=${encodeURIComponent(ANCHOR)}` },
      400,
      'ValidationException',
      /repeated/,
    ],
    ['ARNs that differ', body({ roleArn: `${ROLE}2` }), 400, 'ValidationException', /Two values at 'roleArn'/],
    ['an unknown parameter', { query: encodeQuery({ action: 'x', ...arns }) }, 400, 'ValidationException', /'action'/],
    [
      '899 seconds',
      body({ durationSeconds: 899 }),
      400,
      'ValidationException',
      /'899' .* greater than or equal to 900/,
    ],
    ['43201 seconds', body({ durationSeconds: 43_201 }), 400, 'ValidationException', /less than or equal to 43200/],
    ['seconds as text', body({ durationSeconds: '900' }), 400, 'ValidationException', /not an integer/],
    ['a bad session name', body({ roleSessionName: 'a b' }), 400, 'ValidationException', /'roleSessionName'/],
    ['an unknown member', body({ duration: 900 }), 400, 'ValidationException', /'duration'/],
    ['not JSON', { body: '{' }, 400, 'ValidationException', /not JSON/],
    ['not an object', { body: '[]' }, 400, 'ValidationException', /not a JSON object/],
    [
      'another content type',
      { headers: { 'content-type': 'text/plain' } },
      415,
      'UnsupportedMediaTypeException',
      /Content-Type/,
    ],
    ['PUT', { late: { method: 'PUT' } }, 404, 'UnknownOperationException', /PUT/],
    ['another path', { late: { path: '/prefix/sessions' } }, 404, 'UnknownOperationException', /path/],
    [
      'a long body',
      { body: `{"roleSessionName":"${'x'.repeat(65_536)}"}` },
      413,
      'RequestEntityTooLargeException',
      /large/,
    ],
  ])('%s', async (_, change, status, code, message) => {
    const answer = await ask(change)
    expect(answer).toMatchObject({ status, json: { message: expect.stringMatching(message) } })
    expect(ra.refusals).toMatchObject([{ status, code, message: answer.json.message }])
  })

  it('a profile that is disabled', async () => {
    ra.addProfile({ arn: PROFILE, roleArns: [ROLE], enabled: false })
    expect(await ask()).toMatchObject({ status: 403, json: { message: 'Profile is disabled' } })
  })
})

describe('what can not be set up', () => {
  it('trust anchors that the service would not take', () => {
    const anchor =
      (caPem: string, arn = ANCHOR, crlPem?: string) =>
      () =>
        ra.addTrustAnchor({ arn, caPem, ...(crlPem !== undefined && { crlPem }) })
    const certify = (extensions: string[], hash?: string) =>
      workshop.certify({ subject: '/CN=Root', extensions, ...(hash !== undefined && { hash }) }).certPem
    expect(anchor(root.certPem, PROFILE)).toThrow('"arn" must be')
    expect(anchor('')).toThrow('no certificate')
    expect(anchor(leaf.certPem)).toThrow('CA:TRUE')
    expect(anchor(certify(AUTHORITY.slice(0, 1)))).toThrow('keyCertSign')
    expect(anchor(certify(AUTHORITY, 'sha1'))).toThrow('SHA-256')
    expect(anchor(root.certPem, ANCHOR, 'x')).toThrow('"crlPem" has no X509 CRL')
  })

  it('profiles and roles', () => {
    expect(() => ra.addProfile({ arn: ANCHOR, roleArns: [] })).toThrow('"arn"')
    expect(() => ra.addProfile({ arn: PROFILE, roleArns: [PROFILE] })).toThrow('"roleArns"')
    expect(() => ra.addProfile({ arn: PROFILE, roleArns: [], durationSeconds: 899 })).toThrow(RangeError)
    expect(() => ra.addRole({ arn: PROFILE })).toThrow('"arn"')
  })
})

function scope(region: string, service = 'rolesanywhere'): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  return `${day}/${region}/${service}/aws4_request`
}
