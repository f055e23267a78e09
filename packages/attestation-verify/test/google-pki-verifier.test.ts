import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { startIssuer, type TestIssuer } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createGooglePkiVerifier,
  createGoogleVerifier,
  decodeUnverified,
  type GooglePkiVerifierInit,
} from '../src/index.ts'
import { AUDIENCE, base64url, EXPECTED, keySet, makeKey, refusalOf, signToken, workload } from './helpers.ts'
import google from './vectors/google-pki-debug.json' with { type: 'json' }

const DAY = 86_400
/** `iat` of the vector. */
const ISSUED = 1_761_669_801

describe('a token that Google signed', () => {
  const at = (seconds: number, init: GooglePkiVerifierInit = {}) =>
    createGooglePkiVerifier({ clock: () => seconds * 1000, ...init })
  const outcomes = async (token: string, seconds: number) =>
    Object.fromEntries((await at(seconds).explain(token, EXPECTED)).map(({ check, outcome }) => [check, outcome]))

  it('has a chain to the pinned root and a good signature; only audience and debug image are wrong', async () => {
    const all = await at(ISSUED + 60).explain(google.token, EXPECTED)
    const notPassed = all.filter(({ outcome }) => outcome !== 'pass').map(({ check, outcome }) => [check, outcome])
    expect(notPassed).toEqual([
      ['jwt.aud', 'fail'],
      ['claim.dbgstat', 'fail'],
      ['claim.support_attributes', 'fail'],
    ])
    expect(all.map(({ check }) => check)).toEqual(expect.arrayContaining(['pki.chain', 'pki.root', 'jwt.sig']))
  })

  it('is refused by a root that is not the pinned one, and where any octet of the chain changed', async () => {
    const other = at(ISSUED + 60, { rootSha256: ['00'.repeat(32)] })
    await expect(other.verify(google.token, EXPECTED)).rejects.toEqual(refusalOf('pki.root'))
    const { header } = decodeUnverified(google.token)
    for (const index of [0, 1, 2]) {
      const x5c = [...(header.x5c as string[])]
      const der = Buffer.from(x5c[index] as string, 'base64')
      der[der.length - 9]! ^= 1
      x5c[index] = der.toString('base64')
      const [, payload, signature] = google.token.split('.')
      const token = `${base64url(JSON.stringify({ ...header, x5c }))}.${payload}.${signature}`
      const check = index === 2 ? 'pki.root' : 'pki.chain'
      await expect(at(ISSUED + 60).verify(token, EXPECTED)).rejects.toEqual(refusalOf(check))
    }
  })

  it('is expired later, as are its certificates', async () => {
    expect(await outcomes(google.token, ISSUED + 400)).toMatchObject({ 'jwt.time': 'fail', 'pki.validity': 'pass' })
    expect(await outcomes(google.token, ISSUED + 90 * DAY)).toMatchObject({ 'jwt.exp': 'fail', 'pki.validity': 'fail' })
    expect(await outcomes(google.token, ISSUED - 90 * DAY)).toMatchObject({
      'jwt.time': 'fail',
      'pki.validity': 'fail',
    })
  })
})

describe('createGooglePkiVerifier', () => {
  let issuer: TestIssuer
  let chain: string[]
  const now = Math.floor(Date.now() / 1000)
  const verifier = (init: GooglePkiVerifierInit = {}) =>
    createGooglePkiVerifier({ rootSha256: [issuer.pkiRootSha256], ...init })
  const issue = (header: object = {}, claims: object = {}) =>
    issuer.sign({ ...workload({ iat: now, nbf: now, exp: now + 3600 }), ...claims }, { tokenType: 'PKI', header })

  beforeAll(async () => {
    issuer = await startIssuer()
    chain = decodeUnverified(issue()).header.x5c as string[]
  })
  afterAll(() => issuer.close())

  it('accepts a production token; kid is the thumbprint of the leaf key', async () => {
    const verified = await verifier().verify(issuer.token({ audience: AUDIENCE, tokenType: 'PKI' }), EXPECTED)
    expect(verified).toMatchObject({ verifier: 'google-pki', claims: { swname: 'CONFIDENTIAL_SPACE' } })
    expect(verified.keyId).toMatch(/^[\w-]{43}$/)
    const colons = (issuer.pkiRootSha256.toUpperCase().match(/../g) as string[]).join(':')
    await expect(verifier({ rootSha256: [colons] }).verify(issue(), EXPECTED)).resolves.toBeDefined()
  })

  it('J07 K16 each of the two Google verifiers refuses the tokens of the other', async () => {
    const oidc = createGoogleVerifier({ keys: keySet(makeKey('any')) })
    await expect(oidc.verify(issue(), EXPECTED)).rejects.toEqual(refusalOf('jwt.header'))
    const token = issuer.token({ audience: AUDIENCE })
    await expect(verifier().verify(token, EXPECTED)).rejects.toEqual(refusalOf('jwt.header'))
  })

  it('J07 refuses a chain of an attacker', async () => {
    await expect(createGooglePkiVerifier().verify(issue(), EXPECTED)).rejects.toEqual(refusalOf('pki.root'))
  })

  it('J07 refuses certificates that have expired, now or when the token was issued', async () => {
    const late = verifier({ clock: () => (now + 400 * DAY) * 1000 })
    await expect(late.verify(issue(), EXPECTED)).rejects.toEqual(refusalOf('pki.validity'))
    for (const iat of [now + 4000 * DAY, 1, undefined, 'now']) {
      await expect(verifier().verify(issue({}, { iat }), EXPECTED)).rejects.toEqual(refusalOf('pki.validity'))
    }
  })

  it.each<[string, (chain: string[]) => unknown]>([
    ['two certificates', ([leaf, intermediate]) => [leaf, intermediate]],
    ['four certificates', (all) => [...all, all[2]]],
    ['another order', ([leaf, intermediate, root]) => [leaf, root, intermediate]],
    ['the root three times', ([, , root]) => [root, root, root]],
    ['an intermediate as leaf', ([, intermediate, root]) => [intermediate, intermediate, root]],
    ['no intermediate', ([leaf, , root]) => [leaf, root, root]],
    ['base64url', (all) => all.map((one) => one.replaceAll('+', '-').replaceAll('/', '_'))],
    ['line breaks', ([leaf, ...others]) => [`${leaf?.slice(0, 64)}\n${leaf?.slice(64)}`, ...others]],
    ['octets after the DER', ([leaf, ...others]) => [appended(leaf as string), ...others]],
    [
      'PEM',
      ([leaf, ...others]) => [base64(new X509Certificate(Buffer.from(leaf as string, 'base64')).toString()), ...others],
    ],
    [
      'an intermediate with a point at infinity for a key, whose details end the process (Node 20)',
      ([leaf, intermediate, root]) => [leaf, withPublicKey(intermediate as string, POINT_AT_INFINITY), root],
    ],
    ['text', ([, ...others]) => ['AAAA', ...others]],
    ['numbers', () => [1, 2, 3]],
    ['a string', ([leaf]) => leaf],
  ])('refuses %s', async (_, change) => {
    await expect(verifier().verify(issue({ x5c: change(chain) }), EXPECTED)).rejects.toEqual(refusalOf('pki.chain'))
  })

  it('refuses a kid that is not the leaf key, and a signature of another key', async () => {
    await expect(verifier().verify(issue({ kid: 'k'.repeat(43) }), EXPECTED)).rejects.toEqual(refusalOf('jwt.key'))
    const { header } = decodeUnverified(issue())
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(workload({ iat: now, exp: now + 60 })))}`
    const forged = `${input}.${base64url(sign('sha256', Buffer.from(input), privateKey))}`
    await expect(verifier().verify(forged, EXPECTED)).rejects.toEqual(refusalOf('jwt.sig'))
  })

  it('makes the same checks of claims and time as for OIDC', async () => {
    await expect(verifier().verify(issue({}, { dbgstat: 'enabled' }), EXPECTED)).rejects.toEqual(
      refusalOf('claim.dbgstat'),
    )
    await expect(verifier().verify(issue({}, { aud: 'x' }), EXPECTED)).rejects.toEqual(refusalOf('jwt.aud'))
    await expect(verifier().verify(issue({}, { exp: now - 31 }), EXPECTED)).rejects.toEqual(refusalOf('jwt.exp'))
    await expect(verifier().verify(issue({ alg: 'PS256' }), EXPECTED)).rejects.toEqual(refusalOf('jwt.alg'))
    await expect(verifier().verify(issue({ jku: 'https://x' }), EXPECTED)).rejects.toEqual(refusalOf('jwt.header'))
  })

  it.each([
    ['sha256', 'accepts'],
    ['sha384', 'refuses'],
  ] as const)('with certificates that are signed with %s, %s the token', async (algorithm, outcome) => {
    const own = resigned(chain, algorithm)
    const verify = verifier({ rootSha256: [own.rootSha256] }).verify(own.token(now), EXPECTED)
    if (outcome === 'accepts') await expect(verify).resolves.toBeDefined()
    else await expect(verify).rejects.toEqual(refusalOf('pki.chain'))
  })

  it('refuses roots that could not be meant', () => {
    for (const rootSha256 of [[], ['00'], ['zz'.repeat(32)], ['']]) {
      expect(() => createGooglePkiVerifier({ rootSha256 })).toThrow(TypeError)
    }
  })

  it('refuses a token without x5c that an OIDC key signed', async () => {
    const token = signToken(workload({ iat: now, exp: now + 60 }), makeKey('k'.repeat(43)))
    await expect(verifier().verify(token, EXPECTED)).rejects.toEqual(refusalOf('jwt.header'))
  })
})

const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64')
/** SubjectPublicKeyInfo on P-256 (RFC 5480, section 2); SEC 1, section 2.3.3: one octet 00 is the point at infinity. */
const POINT_AT_INFINITY = Buffer.from('3019301306072a8648ce3d020106082a8648ce3d03010703020000', 'hex')

/** A copy of a certificate with another public key in it, and a signature that no longer fits. */
function withPublicKey(certificate: string, spki: Buffer): string {
  const { raw, publicKey } = new X509Certificate(Buffer.from(certificate, 'base64'))
  const old = publicKey.export({ format: 'der', type: 'spki' })
  const at = raw.indexOf(old)
  const der = Buffer.concat([raw.subarray(0, at), spki, raw.subarray(at + old.length)])
  for (const length of [2, 6]) der.writeUInt16BE(raw.readUInt16BE(length) + spki.length - old.length, length)
  return base64(der)
}
const appended = (leaf: string): string => base64(Buffer.concat([Buffer.from(leaf, 'base64'), Buffer.alloc(3)]))

/** Copies of three certificates with keys of our own in them, signed with RSA and another digest. */
function resigned(chain: readonly string[], algorithm: 'sha256' | 'sha384') {
  const oid = (digest: string): Buffer => Buffer.from(`06092a864886f70d0101${digest === 'sha256' ? '0b' : '0c'}`, 'hex')
  const templates = chain.map((one) => new X509Certificate(Buffer.from(one, 'base64')))
  const keys = templates.map(({ publicKey }) =>
    generateKeyPairSync('rsa', { modulusLength: publicKey.asymmetricKeyDetails?.modulusLength as number }),
  )
  const certificates = templates.map(({ raw, publicKey }, index) => {
    const issuer = (keys[index + 1] ?? keys[index])!.privateKey
    const spki = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' })
    const der = Buffer.from(raw)
    spki(keys[index]!.publicKey).copy(der, der.indexOf(spki(publicKey)))
    for (const at of [der.indexOf(oid('sha256')), der.lastIndexOf(oid('sha256'))]) oid(algorithm).copy(der, at)
    const tbs = der.subarray(4, 8 + der.readUInt16BE(6))
    const signature = sign(algorithm, tbs, issuer)
    signature.copy(der, der.length - signature.length)
    return der
  })
  const [leaf, , root] = certificates
  const { e, kty, n } = keys[0]!.publicKey.export({ format: 'jwk' })
  const kid = createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url')
  const key = { kid, privateKey: keys[0]!.privateKey, publicKey: new X509Certificate(leaf!).publicKey, jwk: {} }
  return {
    rootSha256: createHash('sha256').update(root!).digest('hex'),
    token: (now: number) =>
      signToken(workload({ iat: now, nbf: now, exp: now + 60 }), key, { x5c: certificates.map(base64) }),
  }
}
