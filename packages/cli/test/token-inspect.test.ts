import { startIssuer, type TestIssuer } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { AUDIENCE, type Folder, hardbound, makeFolder } from './helpers.ts'
import google from './vectors/google-pki-debug.json' with { type: 'json' }

const NONCE = 'A'.repeat(43)
const SECRET = 'correct-horse-battery-staple'

let folder: Folder
let issuer: TestIssuer
let jwks: string
let token: string

beforeAll(async () => {
  folder = await makeFolder()
  issuer = await startIssuer()
  jwks = await folder.write('jwks.json', JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }))
  token = issuer.token({
    audience: AUDIENCE,
    nonces: [NONCE],
    claims: { submods: { container: { env: { TOKEN: SECRET }, env_override: { TOKEN: SECRET } } } },
  })
})
afterAll(async () => {
  await issuer?.close()
  await folder?.remove()
})

interface Result {
  readonly verified: boolean
  readonly header: Record<string, unknown>
  readonly claims: { submods: { container: Record<string, unknown> } }
  readonly checks: { check: string; outcome: string }[]
}

async function inspect(stdin: string, ...args: string[]) {
  const { code, stdout, stderr } = await hardbound(['token', 'inspect', '--json', ...args], { stdin })
  const result = JSON.parse(stdout) as Result
  const outcomes = Object.fromEntries(result.checks.map(({ check, outcome }) => [check, outcome]))
  return { code, stdout, stderr, result, outcomes }
}

describe('hardbound token inspect', () => {
  it('verifies with the keys of the issuer, for an audience and nonces', async () => {
    const { code, stderr, result } = await inspect(token, '--jwks', jwks, '--audience', AUDIENCE, '--nonce', NONCE)
    expect({ code, stderr, verified: result.verified }).toEqual({ code: 0, stderr: '', verified: true })
    expect(result.checks.map(({ outcome }) => outcome)).toEqual(Array(result.checks.length).fill('pass'))
  })

  it('verifies a token that Google signed, offline, up to the pinned root', async () => {
    const { code, outcomes, result } = await inspect(google.token, '--pki', '--at', '2025-10-28T12:00:00Z')
    expect(outcomes).toMatchObject({ 'pki.chain': 'pass', 'pki.root': 'pass', 'jwt.sig': 'pass', 'jwt.aud': 'skipped' })
    expect(outcomes).toMatchObject({ 'claim.swname': 'pass', 'claim.dbgstat': 'fail' }) // a debug image
    expect({ code, verified: result.verified }).toEqual({ code: 1, verified: false })
    expect(result.header.x5c).toHaveLength(3)
  })

  it('says loudly that nobody has checked the signature', async () => {
    const { code, stderr, result, outcomes } = await inspect(token)
    expect({ code, verified: result.verified }).toEqual({ code: 0, verified: false })
    expect(stderr).toContain('NOT VERIFIED')
    expect(outcomes).toMatchObject({ 'jwt.key': 'skipped', 'jwt.sig': 'skipped', 'jwt.aud': 'skipped' })
  })

  it('says that nobody has checked the audience', async () => {
    const { code, stderr, result } = await inspect(token, '--jwks', jwks)
    expect({ code, verified: result.verified }).toEqual({ code: 0, verified: false })
    expect(stderr).toContain('audience was not checked')
  })

  it('L04 hides values of the environment unless told otherwise', async () => {
    const hidden = await inspect(token)
    expect(hidden.stdout).not.toContain(SECRET)
    expect(Object.keys(hidden.result.claims.submods.container.env_override as object)).toEqual(['TOKEN'])
    expect((await hardbound(['token', 'inspect'], { stdin: token })).stdout).not.toContain(SECRET)
    expect((await inspect(token, '--show-env')).result.claims.submods.container.env).toMatchObject({ TOKEN: SECRET })
  })

  it('never prints the signature', async () => {
    const { stdout, stderr } = await hardbound(['token', 'inspect', '--jwks', jwks], { stdin: token })
    expect(stdout + stderr).not.toContain(token.split('.')[2])
  })

  it.each([
    ['J11 a changed payload', () => token.replace(/\.(.)/, (_, it) => `.${it === 'e' ? 'f' : 'e'}`), 1],
    ['J18 no token at all', () => 'hunter2', 1],
    ['J18 nothing', () => '', 1],
  ])('%s: exit code 1', async (_, make, expected) => {
    const { code, stdout } = await hardbound(['token', 'inspect', '--jwks', jwks], { stdin: make() })
    expect(code).toBe(expected)
    expect(stdout).not.toContain('hunter2')
  })

  it.each([
    ['K15 another audience', ['--audience', 'https://other.example.com'], 'jwt.aud'],
    ['K11 the end of its life', ['--at', '2050-01-01T00:00:00Z'], 'jwt.exp'],
    ['E18 other nonces', ['--nonce', NONCE, '--nonce', NONCE], 'nonces'],
  ])('%s: fails', async (_, args, check) => {
    const { code, outcomes, result } = await inspect(token, '--jwks', jwks, ...args)
    expect({ code, verified: result.verified }).toEqual({ code: 1, verified: false })
    expect(outcomes[check]).toBe('fail')
  })

  it('J10 keys of somebody else', async () => {
    const other = await startIssuer()
    const file = await folder.write('other.json', JSON.stringify({ keys: other.keys.map(({ jwk }) => jwk) }))
    await other.close()
    const { code, outcomes } = await inspect(token, '--jwks', file)
    expect(code).toBe(1)
    expect(outcomes['jwt.key']).toBe('fail')
  })

  it('L07 does not let a token speak to the terminal', async () => {
    const evil = issuer.token({ audience: AUDIENCE, claims: { submods: { container: { args: ['\u009b31m\u202e'] } } } })
    const { stdout } = await hardbound(['token', 'inspect'], { stdin: evil })
    expect(stdout).not.toMatch(/[\u009b\u202e]/)
    expect(stdout).toContain('\\u009b31m\\u202e')
  })

  it.each([
    ['two ways to verify', ['--jwks', 'x', '--pki']],
    ['a time that is none', ['--at', 'yesterday']],
    ['the audience of Google STS', ['--audience', 'https://sts.googleapis.com']],
    ['an unknown flag', ['--insecure']],
  ])('exit code 2 for %s', async (_, args) => {
    expect((await hardbound(['token', 'inspect', ...args], { stdin: token })).code).toBe(2)
  })
})
