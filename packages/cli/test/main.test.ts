import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { hardbound } from './helpers.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

describe('hardbound', () => {
  it('--version is that of the package', async () => {
    expect(await hardbound(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it.each([
    ['broker', 'run'],
    ['broker', 'check'],
    ['policy', 'test'],
    ['token', 'inspect'],
    ['audit', 'verify'],
    ['aws', 'ekm'],
    ['aws', 'roles-anywhere'],
    ['cert', 'read'],
    ['cert', 'sign-test'],
  ])('%s %s --help teaches with an example, and lists the exit codes', async (...command) => {
    const { code, stdout, stderr } = await hardbound([...command, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/Examples?[:,]/)
    expect(stdout).toContain('Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.')
  })

  it.each([['serve'], ['aws', 'ekm'], ['broker', 'run']])('help %s %s says what --help says', async (...command) => {
    const asked = await hardbound(['help', ...command])
    expect(asked).toEqual(await hardbound([...command, '--help']))
    expect(asked.code).toBe(0)
  })

  it('lists every group', async () => {
    const { stdout } = await hardbound(['--help'])
    for (const group of ['broker', 'policy', 'token', 'audit', 'cert', 'aws']) expect(stdout).toContain(`  ${group} `)
    const { stdout: ofAws } = await hardbound(['aws', '--help'])
    for (const line of ['credential_process', 'roles-anywhere']) expect(ofAws).toContain(line)
  })

  it.each([[['frobnicate']], [['broker', 'frobnicate']], [['broker', 'check']], [['--frobnicate']], [[]]])(
    'exit code 2 for %j',
    async (args) => {
      const { code, stdout, stderr } = await hardbound(args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).not.toBe('')
    },
  )
})
