import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { CliError, usageError } from '../src/cli-error.ts'
import { type ProcessCredential, runProcessCredential } from '../src/internal/process-credential.ts'

let stdout: string
let stderr: string
beforeEach(() => {
  stdout = stderr = ''
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text)
    return true
  })
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text)
    return true
  })
})
afterEach(() => {
  jest.restoreAllMocks()
  process.exitCode = 0
})

const KEYS: ProcessCredential = {
  accessKeyId: 'ASIA',
  secretAccessKey: 's3cret',
  sessionToken: 'token',
  expiration: new Date('2026-08-22T12:00:00Z'),
}
const run = async (provide: () => Promise<ProcessCredential>, help?: boolean) => {
  const parse = () => ({ help })
  await runProcessCredential({ command: 'hardbound aws x', help: 'HELP', parse, provide }, [])
  return { stdout, stderr, code: process.exitCode }
}
const failing = (error: unknown) => run(() => Promise.reject(error as Error))

describe('runProcessCredential', () => {
  it('prints one line of JSON, and nothing else', async () => {
    expect(await run(() => Promise.resolve(KEYS))).toEqual({
      stdout:
        '{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"s3cret","SessionToken":"token","Expiration":"2026-08-22T12:00:00.000Z"}\n',
      stderr: '',
      code: 0,
    })
  })
  it('shows help', async () => {
    expect(await run(() => Promise.resolve(KEYS), true)).toMatchObject({ stdout: 'HELP', code: 0 })
  })
  it.each([
    [usageError('--x is required'), 2, 'hardbound aws x: --x is required; see hardbound aws x --help\n'],
    [new CliError('no file'), 1, 'hardbound aws x: no file\n'],
    [Object.assign(new Error('locked'), { code: 'ERR_HMAC_LOCKED' }), 1, 'hardbound aws x: locked [ERR_HMAC_LOCKED]\n'],
    [Object.assign(new Error('PIN 1234'), { code: 'ERR_OTHER' }), 1, 'hardbound aws x: internal error\n'],
    [new Error('PIN 1234'), 1, 'hardbound aws x: internal error\n'],
    ['PIN 1234', 1, 'hardbound aws x: internal error\n'],
  ])('F18 says %s in one line; errors that are not ours may quote secrets', async (error, code, line) => {
    expect(await failing(error)).toEqual({ stdout: '', stderr: line, code })
  })
  it('F18 shows nothing that a terminal or a log would act on', async () => {
    const message = 'a\nb\u001b[2Jc\u202ed\u2028e\u200bf'
    const { stderr } = await failing(Object.assign(new Error(message), { code: 'ERR_HMAC_KEY' }))
    expect(stderr).toBe('hardbound aws x: a b [2Jc d e f [ERR_HMAC_KEY]\n')
  })
})
