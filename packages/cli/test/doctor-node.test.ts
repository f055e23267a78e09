import { describe, expect, it } from '@jest/globals'
import { nodeCheck } from '../src/doctor/node-check.ts'
import { contextOf, lines } from './doctor-context.ts'

const check = async (env: Record<string, string>, nodeVersion = '24.1.0') =>
  nodeCheck(contextOf({}, { env, nodeVersion }))

describe('nodeCheck', () => {
  it('has nothing to say of an ordinary process', async () => {
    expect(lines(await check({ NODE_OPTIONS: '', NODE_TLS_REJECT_UNAUTHORIZED: '1' }))).toEqual(['ok: Node 24.1.0'])
  })

  it.each([
    ['20.18.3', [/^problem: Node 20\.18\.3 is too old: 20\.19/, /^warning: .*end of life/]],
    ['18.20.0', [/^problem: .*too old/]],
    ['20.19.0', [/^warning: Node 20\.19\.0 is past its end of life/]],
  ])('R10 looks at the version: %s', async (version, expected) => {
    expect(lines(await check({}, version))).toEqual(expected.map((it) => expect.stringMatching(it)))
  })

  it.each([
    ['T17', 'problem', 'NODE_TLS_REJECT_UNAUTHORIZED', '0'],
    ['T17', 'warning', 'NODE_EXTRA_CA_CERTS', '/tmp/hunter2'],
    ['T17', 'warning', 'SSLKEYLOGFILE', '/tmp/hunter2'],
    ['R10', 'warning', 'NODE_OPTIONS', '--require hunter2'],
  ])('%s: a %s of %s, without its value', async (_, status, name, value) => {
    const [, finding, ...more] = await check({ [name]: value })
    expect(finding).toMatchObject({ check: 'node', status, cure: `unset ${name}` })
    expect(finding?.message).not.toContain('hunter2')
    expect(more).toEqual([])
  })
})
