import { createHmac, sign } from 'node:crypto'
import { beforeAll, describe, expect, it, jest } from '@jest/globals'
import fc from 'fast-check'
import { compactVerify } from 'jose'
import { type AttestationVerifier, createGoogleVerifier, type KeySource } from '../src/index.ts'
import {
  AUDIENCE,
  base64url,
  clock,
  EXPECTED,
  keySet,
  makeKey,
  NONCE,
  NOW,
  refusalOf,
  signTexts,
  signToken,
  type TestKey,
  workload,
} from './helpers.ts'

const HEADER = '{"alg":"RS256","kid":"key-1","typ":"JWT"}'
let key: TestKey
let verifier: AttestationVerifier

beforeAll(() => {
  key = makeKey('key-1')
  verifier = createGoogleVerifier({ keys: keySet(key), clock })
})

const verify = (token: string) => verifier.verify(token, EXPECTED)
const verifyClaims = (changes: Record<string, unknown>) => verify(signToken(workload(changes), key))

describe('createGoogleVerifier', () => {
  it('accepts a production token and says what is in it', async () => {
    const verified = await verifyClaims({ instance_number: 1 })
    expect(verified).toMatchObject({
      verifier: 'google',
      issuer: 'https://confidentialcomputing.googleapis.com',
      keyId: 'key-1',
      issuedAt: NOW,
      expiresAt: NOW + 3600,
      nonces: [NONCE],
      claims: {
        kind: 'confidential-space',
        hwmodel: 'GCP_INTEL_TDX',
        swversion: ['260100'],
        tdx: { tcbStatus: 'UpToDate', tcbDate: '2024-03-13T00:00:00Z' },
        supportAttributes: ['LATEST', 'STABLE', 'USABLE'],
        memoryMonitoring: false,
        container: { imageSignatures: [], cmdOverride: [], envOverride: {}, env: { HOSTNAME: 'workload' } },
        gce: { projectNumber: '111122223333', instanceId: '6920867375712861823' },
        gpu: undefined,
      },
      assertion: { swname: 'CONFIDENTIAL_SPACE', instance_number: 1 },
    })
    expect(verified.tokenSha256).toMatch(/^[0-9a-f]{64}$/)
  })

  it('reads every spelling of empty, and the optional parts', async () => {
    const { claims } = await verifyClaims({
      tdx: [{ gcp_attester_tcb_status: 'OutOfDate' }],
      attester_tcb: null,
      'submods.container.env_override': null,
      'submods.container.cmd_override': null,
      'submods.container.image_signatures': [
        { key_id: 'aa', signature: 'b', signature_algorithm: 'ECDSA_P256_SHA256' },
      ],
      'submods.nvidia_gpu': { cc_mode: 'ON' },
    })
    expect(claims).toMatchObject({
      tdx: { tcbStatus: 'OutOfDate', tcbDate: undefined },
      attesterTcb: [],
      container: {
        envOverride: {},
        cmdOverride: [],
        imageSignatures: [{ keyId: 'aa', signatureAlgorithm: 'ECDSA_P256_SHA256' }],
      },
      gpu: { ccMode: 'ON' },
    })
  })

  it('accepts several nonces and none', async () => {
    expect((await verifyClaims({ eat_nonce: ['first-nonce', 'second-nonce'] })).nonces).toEqual([
      'first-nonce',
      'second-nonce',
    ])
    expect((await verifyClaims({ eat_nonce: undefined })).nonces).toEqual([])
  })

  it('agrees with jose on what is signed', async () => {
    const token = signToken(workload(), key)
    const { payload } = await compactVerify(token, key.publicKey, { algorithms: ['RS256'] })
    expect((await verify(token)).assertion).toEqual(JSON.parse(Buffer.from(payload).toString()))
  })

  it('refuses an audience that could not be meant, at once', async () => {
    for (const audience of ['', 'a'.repeat(513), 'https://sts.googleapis.com', 'https://sts.google.com']) {
      await expect(verifier.verify(signToken(workload(), key), { audience })).rejects.toThrow(TypeError)
    }
  })

  it('refuses options that could not be meant', () => {
    const keys = keySet(key)
    expect(() => createGoogleVerifier({ keys, acceptedHwmodels: [] })).toThrow(TypeError)
    expect(() => createGoogleVerifier({ keys, acceptedHwmodels: ['GCP_SHIELDED_VM'] })).toThrow(TypeError)
    expect(() => createGoogleVerifier({ keys, dangerouslyTrustIssuer: '' })).toThrow(TypeError)
  })
})

describe('JWT forgeries', () => {
  it.each(['none', 'None', 'NONE', 'nOnE', ''])('J01 refuses alg %j without a signature', async (alg) => {
    const token = `${base64url(JSON.stringify({ alg, kid: 'key-1', typ: 'JWT' }))}.${base64url(JSON.stringify(workload()))}.`
    await expect(verify(token)).rejects.toEqual(refusalOf('jwt.alg'))
  })

  it('J02 J03 refuses HS256 under any key an attacker knows', async () => {
    const pem = key.publicKey.export({ type: 'spki', format: 'pem' })
    const der = key.publicKey.export({ type: 'spki', format: 'der' })
    for (const secret of [pem, der, ` ${pem}`, JSON.stringify(key.jwk), '', Buffer.alloc(32, 7)]) {
      const input = `${base64url('{"alg":"HS256","kid":"key-1","typ":"JWT"}')}.${base64url(JSON.stringify(workload()))}`
      const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
      await expect(verify(token)).rejects.toEqual(refusalOf('jwt.alg'))
    }
  })

  it.each(['RS384', 'RS512', 'PS256', 'PS384'])('J04 refuses %s', async (alg) => {
    const input = `${base64url(JSON.stringify({ alg, kid: 'key-1', typ: 'JWT' }))}.${base64url(JSON.stringify(workload()))}`
    const padding = alg.startsWith('PS') ? 6 : 1
    const signature = sign(`sha${alg.slice(2)}`, Buffer.from(input), { key: key.privateKey, padding })
    await expect(verify(`${input}.${base64url(signature)}`)).rejects.toEqual(refusalOf('jwt.alg'))
  })

  it.each([
    ['J05', { alg: 'ES256', jwk: { kty: 'EC' } }],
    ['J06', { jku: 'https://attacker.example.com/jwks' }],
    ['J06', { x5u: 'https://attacker.example.com/x5u' }],
    ['J07', { x5c: ['MIIB', 'MIIB', 'MIIB'] }],
    ['J09', { zip: 'DEF' }],
    ['J09', { cty: 'JWT' }],
    ['J09', { enc: 'A256GCM' }],
    ['J09', { unknown: 1 }],
  ])('%s refuses the header %j', async (_, header) => {
    await expect(verify(signToken(workload(), key, header))).rejects.toEqual(refusalOf('jwt.header'))
  })

  it.each([undefined, 1, ['key-1'], '', '../etc/pass wd', '__proto__\0', 'k'.repeat(10_240), null])(
    'J08 refuses the kid %j',
    async (kid) => {
      await expect(verify(signToken(workload(), key, { kid }))).rejects.toEqual(refusalOf('jwt.kid'))
    },
  )

  it.each(['__proto__', '../../etc/passwd', 'key-2'])('J08 finds no key %j', async (kid) => {
    await expect(verify(signToken(workload(), key, { kid }))).rejects.toEqual(refusalOf('jwt.key'))
  })

  it.each([{ crit: ['b64'], b64: false }, { b64: false }, { crit: ['exp'] }, { crit: [] }])(
    'J09 refuses %j',
    async (header) => {
      await expect(verify(signToken(workload(), key, header))).rejects.toEqual(refusalOf('jwt.crit'))
    },
  )

  it('J10 refuses a damaged signature', async () => {
    const [header, payload, signature] = signToken(workload(), key).split('.')
    const octets = Buffer.from(signature as string, 'base64url')
    const flipped = Buffer.from(octets)
    flipped[9]! ^= 1
    for (const bad of [flipped, octets.subarray(1), octets.subarray(0, 255), Buffer.alloc(0), Buffer.alloc(256)]) {
      await expect(verify(`${header}.${payload}.${base64url(bad)}`)).rejects.toEqual(refusalOf('jwt.sig'))
    }
    const long = base64url(Buffer.concat([octets, Buffer.alloc(1)]))
    await expect(verify(`${header}.${payload}.${long}`)).rejects.toEqual(refusalOf('jwt.sig'))
  })

  it('J11 refuses another payload under the same signature', async () => {
    const [header, , signature] = signToken(workload(), key).split('.')
    const payload = base64url(JSON.stringify(workload({ 'submods.gce.project_number': '444455556666' })))
    await expect(verify(`${header}.${payload}.${signature}`)).rejects.toEqual(refusalOf('jwt.sig'))
  })

  it('J12 refuses all 15 other spellings of the last character', async () => {
    const token = signToken(workload(), key)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const block = alphabet.indexOf(token.at(-1) as string) & ~15
    const others = [...alphabet.slice(block, block + 16)].filter((last) => last !== token.at(-1))
    expect(others).toHaveLength(15)
    for (const last of others) {
      await expect(verify(token.slice(0, -1) + last)).rejects.toEqual(refusalOf('jwt.encoding'))
    }
  })

  it.each([
    ['padding', (token: string) => `${token}==`],
    ['a newline', (token: string) => token.replace('.', '\n.')],
    ['a leading space', (token: string) => ` ${token}`],
    ['a percent sign', (token: string) => `${token.slice(0, 20)}%${token.slice(20)}`],
    ['the base64 alphabet', (token: string) => `${token.slice(0, -2)}+/`],
    ['a letter beyond ASCII', (token: string) => token.replace('e', 'é')],
  ])('J13 refuses %s', async (_, change) => {
    await expect(verify(change(signToken(workload(), key)))).rejects.toEqual(refusalOf('jwt.encoding'))
  })

  it.each([
    ['{"alg":"none","alg":"RS256","kid":"key-1","typ":"JWT"}', undefined],
    ['{"alg":"RS256","alg":"none","kid":"key-1","typ":"JWT"}', undefined],
    [HEADER, `"aud":"${AUDIENCE}"`],
    [HEADER, '"eat_nonce":"another-nonce"'],
    [HEADER, '"submods":{}'],
  ])('J15 refuses a key twice: %s %s', async (header, more) => {
    const payload = JSON.stringify(workload())
    const token = signTexts(header, more === undefined ? payload : `${payload.slice(0, -1)},${more}}`, key)
    await expect(verify(token)).rejects.toEqual(refusalOf('jwt.duplicate_key'))
  })

  it.each(['JWE', 'at+jwt', 'jwt', undefined, 42])('J17 refuses the typ %j', async (typ) => {
    await expect(verify(signToken(workload(), key, { typ }))).rejects.toEqual(refusalOf('jwt.typ'))
  })

  it.each<[string, string | Uint8Array]>([
    ['an array', '[]'],
    ['null', 'null'],
    ['a number', '1'],
    ['a string', '"a"'],
    ['nothing', ''],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a byte order mark', `\ufeff${JSON.stringify(workload())}`],
    ['a lone surrogate', '{"a":"\\ud800"}'],
  ])('J18 refuses %s as payload', async (_, payload) => {
    await expect(verify(signTexts(HEADER, payload, key))).rejects.toEqual(refusalOf('jwt.payload'))
  })

  it('J19 accepts 16 KiB and refuses one character more', async () => {
    const bare = signToken(workload({ padding: '' }), key).length
    const fill = (length: number) => signToken(workload({ padding: 'x'.repeat(length) }), key)
    const most = Math.floor(((16_384 - bare) * 3) / 4)
    const lengths = [most - 2, most - 1, most, most + 1, most + 2].map(fill).sort((a, b) => a.length - b.length)
    const fits = lengths.filter(({ length }) => length <= 16_384).at(-1) as string
    const over = lengths.find(({ length }) => length > 16_384) as string
    await expect(verify(fits)).resolves.toBeDefined()
    await expect(verify(over)).rejects.toEqual(refusalOf('jwt.size'))
  })

  it('J20 refuses a megabyte of dots before it decodes', async () => {
    await expect(verify('.'.repeat(1 << 20))).rejects.toEqual(refusalOf('jwt.size'))
    for (const token of ['', 'abc', 'a.b', 'a.b.c.d', '....']) {
      await expect(verify(token)).rejects.toEqual(refusalOf('jwt.format'))
    }
    await expect(verify(undefined as unknown as string)).rejects.toEqual(refusalOf('jwt.size'))
  })

  it('J21 refuses deep nesting', async () => {
    const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
    await expect(verify(signTexts(HEADER, deep(17), key))).rejects.toEqual(refusalOf('jwt.depth'))
    await expect(verify(`${base64url(HEADER)}.${base64url('['.repeat(9000))}.AA`)).rejects.toEqual(
      refusalOf('jwt.depth'),
    )
  })

  it('asks for no key before the header is right', async () => {
    const keys = { getKey: jest.fn<KeySource['getKey']>(), ready: () => true }
    const watched = createGoogleVerifier({ keys, clock })
    for (const header of [{ alg: 'none' }, { jwk: {} }, { kid: 7 }, { typ: 'x' }]) {
      await expect(watched.verify(signToken(workload(), key, header), EXPECTED)).rejects.toThrow()
    }
    await expect(watched.verify(signToken(workload({ iss: 'https://other.example' }), key), EXPECTED)).rejects.toThrow()
    expect(keys.getKey).not.toHaveBeenCalled()
  })

  it('refuses a weak key whatever its source says', async () => {
    const weak = makeKey('weak', 1024)
    const keys = { getKey: async () => ({ kid: 'weak', alg: undefined, key: weak.publicKey }), ready: () => true }
    const trusting = createGoogleVerifier({ keys, clock })
    await expect(trusting.verify(signToken(workload(), weak), EXPECTED)).rejects.toEqual(refusalOf('jwt.key'))
  })

  it('E08 gives one identity to one token, and another to any other', async () => {
    const first = await verifyClaims({})
    expect((await verifyClaims({})).tokenSha256).toBe(first.tokenSha256)
    expect((await verifyClaims({ nbf: NOW - 1 })).tokenSha256).not.toBe(first.tokenSha256)
  })

  it('throws nothing but AttestationError for any text (fuzz)', async () => {
    const good = signToken(workload(), key)
    const damaged = fc.tuple(fc.nat(good.length - 1), fc.string({ maxLength: 3 })).map(([at, text]) => {
      return good.slice(0, at) + text + good.slice(at + 1)
    })
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), damaged), async (token) => {
        if (token === good) return
        await expect(verify(token)).rejects.toMatchObject({ name: 'AttestationError' })
      }),
      { numRuns: 2000 },
    )
  })
})

describe('claim games', () => {
  it.each(['enabled', 'enable', 'Disabled-Since-Boot', undefined, ['disabled-since-boot']])(
    'K04 refuses dbgstat %j',
    async (dbgstat) => {
      await expect(verifyClaims({ dbgstat })).rejects.toEqual(refusalOf('claim.dbgstat'))
    },
  )

  it.each(['GCE', 'CONFIDENTIAL_SPACE ', undefined])('K05 refuses swname %j', async (swname) => {
    await expect(verifyClaims({ swname })).rejects.toEqual(refusalOf('claim.swname'))
  })

  it.each(['GCP_SHIELDED_VM', 'GCP_AMD_SEV_SNP_2030', 'gcp_amd_sev', undefined])(
    'K06 refuses hwmodel %j',
    async (hwmodel) => {
      await expect(verifyClaims({ hwmodel })).rejects.toEqual(refusalOf('claim.hwmodel'))
    },
  )

  it.each([false, 'true', 1, undefined])('K07 refuses secboot %j', async (secboot) => {
    await expect(verifyClaims({ secboot })).rejects.toEqual(refusalOf('claim.secboot'))
  })

  it.each([NOW, NOW - 1, undefined, `${NOW + 60}`, -1, NOW + 0.5, NOW + 3601, 1e300, '9007199254740993'])(
    'K11 refuses exp %j',
    async (exp) => {
      await expect(verifyClaims({ exp })).rejects.toEqual(refusalOf('jwt.exp'))
    },
  )

  it('K11 refuses exp 1e400', async () => {
    const payload = JSON.stringify(workload()).replace(`"exp":${NOW + 3600}`, '"exp":1e400')
    await expect(verify(signTexts(HEADER, payload, key))).rejects.toEqual(refusalOf('jwt.payload'))
  })

  it.each<[string, Record<string, unknown>]>([
    ['nbf in 31 s', { nbf: NOW + 31 }],
    ['nbf that is a string', { nbf: `${NOW}` }],
    ['iat in 31 s', { iat: NOW + 31 }],
    ['iat 331 s ago', { iat: NOW - 331, exp: NOW + 3269 }],
    ['no iat', { iat: undefined }],
    ['iat that is a string', { iat: `${NOW}` }],
    ['iat with a fraction', { iat: NOW - 0.5 }],
    ['iat after exp', { iat: NOW + 20, exp: NOW + 10 }],
  ])('K12 refuses %s', async (_, changes) => {
    await expect(verifyClaims(changes)).rejects.toEqual(refusalOf('jwt.time'))
  })

  it.each<[string, Record<string, unknown>]>([
    ['nbf and iat in 30 s', { iat: NOW + 30, nbf: NOW + 30 }],
    ['iat 330 s ago', { iat: NOW - 330, exp: NOW + 3270 }],
    ['K26 exp in 1 s', { iat: NOW - 299, exp: NOW + 1 }],
    ['no nbf', { nbf: undefined }],
  ])('K12 accepts %s', async (_, changes) => {
    await expect(verifyClaims(changes)).resolves.toBeDefined()
  })

  it.each([-600, 600, Number.NaN])('K13 refuses with a clock that is %d s off', async (off) => {
    const lost = createGoogleVerifier({ keys: keySet(key), clock: () => (NOW + off) * 1000 })
    await expect(lost.verify(signToken(workload(), key), EXPECTED)).rejects.toMatchObject({
      check: expect.stringMatching(/^jwt\.(time|exp)$/),
    })
  })

  it.each([
    'https://confidentialcomputing.googleapis.com/',
    'http://confidentialcomputing.googleapis.com',
    'fake-issuer-for-testing',
    undefined,
    ['https://confidentialcomputing.googleapis.com'],
  ])('K14 refuses iss %j', async (iss) => {
    await expect(verifyClaims({ iss })).rejects.toEqual(refusalOf('jwt.iss'))
  })

  it.each([
    'https://other.example.com',
    [AUDIENCE, 'https://other.example.com'],
    ['https://other.example.com', AUDIENCE],
    `${AUDIENCE}\0`,
    `${AUDIENCE}/azure`,
    AUDIENCE.slice(0, -1),
    [],
    undefined,
    { 0: AUDIENCE },
    [[AUDIENCE]],
  ])('K15 refuses aud %j', async (aud) => {
    await expect(verifyClaims({ aud })).rejects.toEqual(refusalOf('jwt.aud'))
  })

  it('K15 accepts aud as a list of one', async () => {
    await expect(verifyClaims({ aud: [AUDIENCE] })).resolves.toBeDefined()
  })

  it('K16 refuses the default token and tokens for AWS', async () => {
    const sts = verifyClaims({ aud: 'https://sts.googleapis.com' })
    await expect(sts).rejects.toEqual(refusalOf('jwt.aud'))
    const aws = verifyClaims({ 'https://aws.amazon.com/tags': { principal_tags: { swname: ['CONFIDENTIAL_SPACE'] } } })
    await expect(aws).rejects.toEqual(refusalOf('jwt.typ'))
  })

  it.each<[string, unknown]>([
    ['swversion', '260100'],
    ['google_service_accounts', 'workload@example.iam.gserviceaccount.com'],
    ['submods', []],
    ['submods.container.image_digest', [`sha256:${'ab'.repeat(32)}`]],
    ['submods.container.image_digest', {}],
    ['submods.container.args', ['/workload', 1]],
    ['submods.container.env_override', ['A=1']],
    ['submods.container.env_override', { A: 1 }],
    ['submods.container.image_signatures', [{ key_id: 'aa' }]],
    ['submods.container.image_signatures', ['aa']],
    ['submods.container.image_signatures', [null]],
    ['submods.container.image_signatures', 'aa'],
    ['submods.gce.project_number', 111122223333],
    ['submods.confidential_space.support_attributes', 'STABLE'],
    ['submods.confidential_space.monitoring_enabled', { memory: 'false' }],
    ['tdx', [{}, {}]],
    ['oemid', '11129'],
    ['hwmodel', ['GCP_AMD_SEV']],
  ])('K03 K20 refuses the wrong JSON type of %s', async (path, value) => {
    await expect(verifyClaims({ [path]: value })).rejects.toEqual(refusalOf('claim.format'))
  })

  it.each([[7], 'short', 'n'.repeat(89), [NONCE, 1], [null], { 0: NONCE }, [[NONCE]], Array(7).fill(NONCE), 12345678])(
    'E19 refuses eat_nonce %j',
    async (eat_nonce) => {
      await expect(verifyClaims({ eat_nonce })).rejects.toEqual(refusalOf('jwt.nonce'))
    },
  )

  it('refuses the profile of plain Confidential VMs, another maker, and images that are not STABLE', async () => {
    const vm = 'https://cloud.google.com/confidential-computing/confidential-vm/docs/token-claims'
    await expect(verifyClaims({ eat_profile: vm })).rejects.toEqual(refusalOf('claim.eat_profile'))
    await expect(verifyClaims({ oemid: 1 })).rejects.toEqual(refusalOf('claim.oemid'))
    for (const attributes of [['USABLE'], ['EXPERIMENTAL'], ['stable'], [], undefined]) {
      const refused = verifyClaims({ 'submods.confidential_space.support_attributes': attributes })
      await expect(refused).rejects.toEqual(refusalOf('claim.support_attributes'))
    }
    await expect(verifyClaims({ eat_profile: undefined, oemid: undefined })).resolves.toBeDefined()
  })
})

describe('opt-outs', () => {
  const debugImage = { dbgstat: 'enabled', 'submods.confidential_space.support_attributes': undefined }

  it('accepts debug images only with both opt-outs, and no odd dbgstat even then', async () => {
    const init = { keys: keySet(key), clock }
    const token = signToken(workload(debugImage), key)
    const debug = createGoogleVerifier({ ...init, dangerouslyAllowDebugImages: true })
    await expect(debug.verify(token, EXPECTED)).rejects.toEqual(refusalOf('claim.support_attributes'))
    const unsupported = createGoogleVerifier({ ...init, dangerouslyAllowUnsupportedImages: true })
    await expect(unsupported.verify(token, EXPECTED)).rejects.toEqual(refusalOf('claim.dbgstat'))
    const both = { ...init, dangerouslyAllowDebugImages: true, dangerouslyAllowUnsupportedImages: true }
    await expect(createGoogleVerifier(both).verify(token, EXPECTED)).resolves.toBeDefined()
    const odd = signToken(workload({ dbgstat: ['enabled'] }), key)
    await expect(createGoogleVerifier(both).verify(odd, EXPECTED)).rejects.toEqual(refusalOf('claim.dbgstat'))
  })

  it('accepts the hwmodels it is told to', async () => {
    const one = createGoogleVerifier({ keys: keySet(key), clock, acceptedHwmodels: ['GCP_AMD_SEV'] })
    await expect(one.verify(signToken(workload(), key), EXPECTED)).rejects.toEqual(refusalOf('claim.hwmodel'))
    await expect(one.verify(signToken(workload({ hwmodel: 'GCP_AMD_SEV' }), key), EXPECTED)).resolves.toBeDefined()
  })

  it('answers for the issuer of the published Go test tokens in place of Google', async () => {
    const iss = 'https://idp.example.com'
    const goKey = makeKey('rsaKeyID_1')
    const go = createGoogleVerifier({ keys: keySet(goKey), clock, dangerouslyTrustIssuer: iss })
    const payload = workload({
      iss,
      aud: [AUDIENCE],
      eat_profile: undefined,
      swversion: ['1'],
      tee: { version: { major: 0, minor: 0 } },
      eat_nonce: ['a'.repeat(64), 'b'.repeat(64)],
    })
    expect(go.issuers).toEqual([iss])
    expect((await go.verify(signToken(payload, goKey), EXPECTED)).nonces).toEqual(['a'.repeat(64), 'b'.repeat(64)])
    await expect(go.verify(signToken(workload(), goKey), EXPECTED)).rejects.toEqual(refusalOf('jwt.iss'))
  })
})

describe('explain', () => {
  const outcomes = async (token: string) =>
    Object.fromEntries((await verifier.explain(token, EXPECTED)).map(({ check, outcome }) => [check, outcome]))

  it('passes every check of a good token, each once', async () => {
    const all = await verifier.explain(signToken(workload(), key), EXPECTED)
    expect(new Set(all.map(({ check }) => check)).size).toBe(all.length)
    expect(all.filter(({ outcome }) => outcome !== 'pass')).toEqual([])
    expect(all).toHaveLength(26)
  })

  it('carries on after a failure, and skips what needs it', async () => {
    const [header, payload] = signToken(workload({ dbgstat: 'enabled', exp: NOW - 60 }), key).split('.')
    const all = await outcomes(`${header}.${payload}.AAAA`)
    expect(all).toMatchObject({ 'jwt.sig': 'fail', 'jwt.exp': 'fail', 'claim.dbgstat': 'fail', 'claim.swname': 'pass' })
    expect(await outcomes(`${base64url('{}')}.${payload}.AAAA`)).toMatchObject({
      'jwt.header': 'pass',
      'jwt.alg': 'fail',
      'jwt.key': 'skipped',
      'jwt.sig': 'skipped',
      'claim.hwmodel': 'pass',
    })
    expect(await outcomes('nonsense')).toMatchObject({ 'jwt.format': 'fail', 'claim.format': 'skipped' })
  })

  it('fails first where verify fails, whatever is wrong (property)', async () => {
    const wrong = fc.record(
      {
        iss: fc.constant('x'),
        aud: fc.constant('x'),
        exp: fc.constant(1),
        iat: fc.constant(1),
        eat_nonce: fc.constant(1),
        swname: fc.constant('GCE'),
        dbgstat: fc.constant('enabled'),
        secboot: fc.constant(false),
        oemid: fc.constant(1),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(wrong, async (changes) => {
        const token = signToken(workload(changes), key)
        const first = (await verifier.explain(token, EXPECTED)).find(({ outcome }) => outcome === 'fail')
        const thrown = await verify(token).then(
          () => undefined,
          (error: { check: string }) => error.check,
        )
        expect(thrown).toBe(first?.check)
      }),
      { numRuns: 50 },
    )
  })

  it('names no environment, token or signature', async () => {
    const token = signToken(workload({ 'submods.container.env': { SECRET: 'canary-value' } }), key)
    const text = JSON.stringify(await verifier.explain(token, EXPECTED))
    expect(text).not.toContain('canary-value')
    expect(text).not.toContain(token.split('.')[2])
  })
})

it('keeps claim values, tokens and keys out of error messages', async () => {
  const error = await verifyClaims({ dbgstat: 'canary-value' }).catch((thrown: Error) => thrown)
  expect(`${(error as Error).message}${String((error as Error).cause)}`).not.toContain('canary-value')
})

it('stops for an aborted signal', async () => {
  const reason = new Error('enough')
  await expect(
    verifier.verify(signToken(workload(), key), EXPECTED, { signal: AbortSignal.abort(reason) }),
  ).rejects.toBe(reason)
})
