import { sign } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { startRolesAnywhere, type TestRolesAnywhere } from '../src/roles-anywhere.ts'
import { ANCHOR, AUTHORITY, createWorkshop, LEAF, type Made, PROFILE, post, ROLE } from './roles-anywhere-helpers.ts'

const DAY_MS = 86_400_000
const workshop = createWorkshop()
const authority = (name: string, o: Partial<Parameters<typeof workshop.certify>[0]> = {}): Made =>
  workshop.certify({ subject: `/O=Example/CN=${name}`, extensions: AUTHORITY, days: 100, ...o })
const certify = (issuer: Made, o: Partial<Parameters<typeof workshop.certify>[0]> = {}): Made =>
  workshop.certify({ subject: '/CN=worked.example', issuer, ...o })

const root = authority('Root')
const upper = authority('Upper', { issuer: root, key: 'rsa' })
const lower = authority('Lower', { issuer: upper, key: 'p384' })
const leaf = certify(lower)

let ra: TestRolesAnywhere
let shiftMs = 0
const clock = () => Date.now() + shiftMs
beforeAll(async () => {
  ra = await startRolesAnywhere({ clock })
  ra.addProfile({ arn: PROFILE, roleArns: [ROLE] })
})
beforeEach(() => {
  shiftMs = 0
  ra.refusals.length = 0
  ra.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem })
})
afterAll(async () => {
  await ra.close()
  workshop.remove()
})

const ask = (identity: Made, ...chain: Made[]) =>
  post(ra, { identity, ...(chain.length > 0 && { chain: chain.map(({ der }) => der) }), nowMs: clock() })
const detailOf = async (identity: Made, ...chain: Made[]): Promise<string | undefined> => {
  const answer = await ask(identity, ...chain)
  if (answer.status === 201) return undefined
  expect(answer).toMatchObject({ status: 403, json: { message: 'Untrusted signing certificate' } })
  return ra.refusals.at(-1)?.detail
}

describe('paths', () => {
  it.each<[string, Made[]]>([
    ['in order', [lower, upper]],
    ['S11 in another order', [upper, lower]],
    ['with leaf and root', [leaf, lower, upper, root]],
    ['with a stranger', [authority('Stranger'), lower, upper]],
  ])('from the leaf over two authorities to the root: %s', async (_, chain) => {
    expect(await detailOf(leaf, ...chain)).toBeUndefined()
  })

  it('to an anchor that is no root, and to one of several', async () => {
    ra.addTrustAnchor({ arn: ANCHOR, caPem: `${authority('Other').certPem}\n${lower.certPem}` })
    expect(await detailOf(leaf)).toBeUndefined()
  })

  it('past a certificate of the same name with another key', async () => {
    expect(await detailOf(leaf, authority('Lower', { issuer: upper }), lower, upper)).toBeUndefined()
    const bare = certify(lower, { extensions: [...LEAF, 'authorityKeyIdentifier=none'] })
    expect(await detailOf(bare, authority('Lower', { issuer: upper }), lower, upper)).toBeUndefined()
  })

  it('ends where two authorities certified each other', async () => {
    const keys = authority('A')
    const request = workshop.write(
      workshop.openssl([
        'x509',
        '-x509toreq',
        '-in',
        workshop.write(keys.certPem),
        '-key',
        workshop.write(keys.keyPem),
      ]),
    )
    const b = authority('B', { issuer: keys })
    const signer = ['-CA', workshop.write(b.certPem), '-CAkey', workshop.write(b.keyPem)]
    const file = ['-extfile', workshop.write(AUTHORITY.join('\n')), '-set_serial', '7', '-days', '9']
    const certPem = workshop.openssl(['x509', '-req', '-in', request, ...signer, ...file, '-sha256']).toString()
    const der = workshop.openssl(['x509', '-in', workshop.write(certPem), '-outform', 'DER'])
    const a: Made = { ...keys, certPem, der }
    expect(await detailOf(certify(a), a, b)).toBe('no issuer of the certificate is here')
  })
})

describe('no path', () => {
  it.each<[string, () => Promise<string | undefined>, RegExp]>([
    ['an authority is missing', () => detailOf(leaf, upper), /^no issuer/],
    [
      'S11 the chain of somebody else',
      () => detailOf(leaf, authority('Lower', { issuer: upper }), upper),
      /issuer’s|^no issuer/,
    ],
    ['another root of the same name', () => detailOf(certify(authority('Root'))), /^no issuer/],
    [
      'the same, without key identifiers',
      () => detailOf(certify(authority('Root'), { extensions: [...LEAF, 'authorityKeyIdentifier=none'] })),
      /not its issuer’s/,
    ],
    ['the leaf signed itself', () => detailOf(workshop.certify({ subject: '/CN=worked.example' })), /^no issuer/],
    ['an authority signed with SHA-1', () => viaAuthority({ hash: 'sha1' }), /weak algorithm/],
    ['an authority with CA:FALSE', () => viaAuthority({ extensions: LEAF }), /is none/],
    ['an authority without keyCertSign', () => viaAuthority({ extensions: AUTHORITY.slice(0, 1) }), /may not sign/],
    [
      'too many authorities',
      () => {
        const limited = authority('Limited', {
          issuer: root,
          extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0', AUTHORITY[1]!],
        })
        const below = authority('Below', { issuer: limited })
        return detailOf(certify(below), below, limited)
      },
      /allows 0 authorities/,
    ],
  ])('%s', async (_, outcome, detail) => {
    expect(await outcome()).toMatch(detail)
  })

  function viaAuthority(o: Partial<Parameters<typeof workshop.certify>[0]>): Promise<string | undefined> {
    const between = authority('Between', { issuer: root, ...o })
    return detailOf(certify(between), between)
  }

  it('S11 outside the validity of leaf, authority or anchor', async () => {
    const short = authority('Short', { issuer: root, days: 10 })
    const brief = authority('Brief', { days: 5 })
    shiftMs = -2 * DAY_MS
    expect(await detailOf(leaf, lower, upper)).toBe('the certificate is not valid yet')
    shiftMs = 31 * DAY_MS
    expect(await detailOf(leaf, lower, upper)).toBe('the certificate has expired')
    shiftMs = 20 * DAY_MS
    expect(await detailOf(leaf, lower, upper)).toBeUndefined()
    expect(await detailOf(certify(short), short)).toBe('an authority 1 above the certificate has expired')
    ra.addTrustAnchor({ arn: ANCHOR, caPem: brief.certPem })
    expect(await detailOf(certify(brief))).toBe('an authority 1 above the certificate has expired')
  })
})

describe('revocation', () => {
  function listOf(issuer: Made, ...revoked: Made[]): string {
    const [database, serials] = [workshop.write(''), workshop.write('01\n')]
    const settings = `[ca]\ndefault_ca=x\n[x]\ndatabase=${database}\ncrlnumber=${serials}\ndefault_md=sha256\ndefault_crl_days=9\n`
    const common = ['ca', '-config', workshop.write(settings)]
    const signer = ['-cert', workshop.write(issuer.certPem), '-keyfile', workshop.write(issuer.keyPem)]
    for (const { certPem } of revoked) workshop.openssl([...common, ...signer, '-revoke', workshop.write(certPem)])
    return workshop.openssl([...common, ...signer, '-gencrl']).toString()
  }
  const anchor = (crlPem: string) => ra.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem, crlPem })

  it('of the leaf, and of an authority', async () => {
    const other = certify(lower)
    anchor(listOf(lower, other))
    expect(await detailOf(other, lower, upper)).toBe('a certificate is revoked')
    expect(await detailOf(leaf, lower, upper)).toBeUndefined()
    anchor(listOf(upper) + listOf(root, upper))
    expect(await detailOf(leaf, lower, upper)).toBe('a certificate is revoked')
  })

  it('not by a list that somebody else signed', async () => {
    anchor(listOf(authority('Lower'), leaf))
    expect(await detailOf(leaf, lower, upper)).toBeUndefined()
  })
})

it('signs with the leaf, not with another certificate of the chain', async () => {
  const answer = await post(ra, {
    identity: leaf,
    chain: [lower.der, upper.der],
    signer: (message) => sign('sha256', message, lower.keyPem),
  })
  expect(answer.json).toEqual({ message: 'Invalid signature' })
})
