import { startIssuer } from '@hardbound/testkit'
import { beforeAll, describe, expect, it, jest } from '@jest/globals'
import {
  type AttestationVerifier,
  createAttestationVerifiers,
  createGooglePkiVerifier,
  createGoogleVerifier,
  createIntelVerifier,
  peekIssuer,
} from '../src/index.ts'
import { AUDIENCE, clock, EXPECTED, keySet, makeKey, refusalOf, signToken, type TestKey, workload } from './helpers.ts'

let googleKey: TestKey
let intelKey: TestKey
let google: AttestationVerifier
let intel: AttestationVerifier

beforeAll(() => {
  googleKey = makeKey('google-1')
  intelKey = makeKey('intel-1')
  google = createGoogleVerifier({ keys: keySet(googleKey), clock })
  intel = createIntelVerifier({ keys: keySet(intelKey), clock })
})

const intelClaims = () => workload({ iss: 'https://portal.trustauthority.intel.com', hwmodel: 'INTEL_TDX' })

describe('createAttestationVerifiers', () => {
  it('J23 sends each token to the verifier of its issuer, and there alone', async () => {
    const any = createAttestationVerifiers([google, intel])
    expect(any.issuers).toEqual([...google.issuers, ...intel.issuers])
    expect(await any.verify(signToken(workload(), googleKey), EXPECTED)).toMatchObject({ verifier: 'google' })
    expect(await any.verify(signToken(intelClaims(), intelKey), EXPECTED)).toMatchObject({ verifier: 'intel' })
    const swapped = any.verify(signToken(workload(), intelKey), EXPECTED)
    await expect(swapped).rejects.toEqual(refusalOf('jwt.key'))
    const renamed = any.verify(signToken(intelClaims(), googleKey, { kid: 'intel-1' }), EXPECTED)
    await expect(renamed).rejects.toEqual(refusalOf('jwt.sig'))
  })

  it('J07 tells the two kinds of Google tokens apart by x5c; a lone verifier refuses the other kind', async () => {
    const issuer = await startIssuer()
    try {
      const oidc = createGoogleVerifier({ keys: keySet(googleKey) })
      const pki = createGooglePkiVerifier({ rootSha256: [issuer.pkiRootSha256] })
      const token = issuer.token({ audience: AUDIENCE, tokenType: 'PKI' })
      for (const list of [
        [oidc, pki],
        [pki, oidc],
      ]) {
        expect(await createAttestationVerifiers(list).verify(token, EXPECTED)).toMatchObject({ verifier: 'google-pki' })
      }
      await expect(createAttestationVerifiers([oidc]).verify(token, EXPECTED)).rejects.toEqual(refusalOf('jwt.header'))
      const plain = issuer.token({ audience: AUDIENCE })
      await expect(createAttestationVerifiers([pki]).verify(plain, EXPECTED)).rejects.toEqual(refusalOf('jwt.header'))
    } finally {
      await issuer.close()
    }
  })

  it.each(['https://unknown.example.com', undefined, ['https://confidentialcomputing.googleapis.com'], 1])(
    'K14 refuses the issuer %j',
    async (iss) => {
      const any = createAttestationVerifiers([google])
      const token = signToken(workload({ iss }), googleKey)
      await expect(any.verify(token, EXPECTED)).rejects.toEqual(refusalOf('jwt.iss'))
      expect(await any.explain(token, EXPECTED)).toMatchObject([{ check: 'jwt.iss', outcome: 'fail' }])
    },
  )

  it('explains by the verifier it chose', async () => {
    const token = signToken(workload(), googleKey)
    const any = createAttestationVerifiers([google, intel])
    expect(await any.explain(token, EXPECTED)).toEqual(await google.explain(token, EXPECTED))
    expect(await any.explain('a.b', EXPECTED)).toMatchObject([{ check: 'jwt.format', outcome: 'fail' }])
    await expect(any.explain(token, { audience: '' })).rejects.toThrow(TypeError)
  })

  it('is ready when all are, and asks them all', () => {
    const lagging = { ...google, ready: jest.fn(() => false) }
    const ready = { ...intel, ready: jest.fn(() => true) }
    expect(createAttestationVerifiers([lagging, ready]).ready()).toBe(false)
    expect(ready.ready).toHaveBeenCalled()
    expect(createAttestationVerifiers([ready]).ready()).toBe(true)
  })

  it('refuses two verifiers for the same tokens', () => {
    expect(() => createAttestationVerifiers([google, google])).toThrow(TypeError)
  })
})

describe('peekIssuer', () => {
  it('reads the issuer of a token it does not verify, strictly', () => {
    const token = signToken(workload(), googleKey)
    expect(peekIssuer(`${token.slice(0, token.lastIndexOf('.'))}.AAAA`)).toBe(google.issuers[0])
    expect(() => peekIssuer(`${token}=`)).toThrow(expect.objectContaining({ check: 'jwt.encoding' }))
    expect(() => peekIssuer(signToken({}, googleKey))).toThrow(expect.objectContaining({ check: 'jwt.iss' }))
  })
})
