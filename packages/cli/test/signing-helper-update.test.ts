import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { awsError, withCredentials } from '@hardbound/testkit/roles-anywhere'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { helper, type Lab, makeLab, messagesOf, type RunningHelper, startHelper } from './signing-helper.ts'

let lab: Lab
const running: RunningHelper[] = []
beforeAll(async () => {
  lab = await makeLab()
})
afterAll(() => lab?.close())
beforeEach(() => {
  lab.reset()
  lab.service.answer = withCredentials(KEYS)
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((it) => it.stop('SIGKILL')))
})

const KEYS = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'a-token-of-the-example',
}
const ID = `aws_access_key_id = ${KEYS.accessKeyId}\n`
const SECRET = `aws_secret_access_key = ${KEYS.secretAccessKey}\n`
const TOKEN = `aws_session_token = ${KEYS.sessionToken}\n`
const ALL = ID + SECRET + TOKEN
/** What all of the original's cases begin with. */
const JUNK = 'test\ntest\ntest\n'

const updateOnce = (profile: string, file: string, flags: readonly string[] = []) =>
  helper(['update', '--once', '--profile', profile, ...lab.flags(), ...flags], { AWS_SHARED_CREDENTIALS_FILE: file })
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

describe('aws_signing_helper update --once', () => {
  it.each([
    [
      'one key, and another section behind it',
      'test profile',
      '[test profile]\naws_access_key_id = old\n[other]\naws_access_key_id = theirs\n',
      `[test profile]\n${ALL}[other]\naws_access_key_id = theirs\n`,
    ],
    [
      'a key that is not ours',
      'test profile',
      '[test profile]\naws_access_key_id = old\nregion = eu-west-1\n[other]\nx = y\n',
      `[test profile]\n${ID}region = eu-west-1\n${SECRET}${TOKEN}[other]\nx = y\n`,
    ],
    [
      'a header in a comment',
      'test profile',
      '# [test profile]\naws_access_key_id = old\n',
      `# [test profile]\naws_access_key_id = old\n[test profile]\n${ALL}\n`,
    ],
    ['no such section', 'test', '[other]\nx = y\n', `[other]\nx = y\n[test]\n${ALL}\n`],
    [
      'a name that the wanted one begins with, the wanted one last',
      'test profile',
      `[test]\naws_access_key_id = theirs\n[test profile]\naws_access_key_id = old\naws_secret_access_key = old\naws_session_token = old\n`,
      `[test]\naws_access_key_id = theirs\n[test profile]\n${ALL}`,
    ],
    [
      'two sections of that name',
      'test',
      '[test]\naws_secret_access_key = old\n[test]\naws_secret_access_key = old\n',
      `[test]\n${SECRET}${ID}${TOKEN}[test]\naws_secret_access_key = old\n`,
    ],
  ])('changes the keys of one section: %s', async (_, profile, before, after) => {
    const file = await lab.write('credentials', JUNK + before)
    expect(await updateOnce(profile, file)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await readFile(file, 'utf8')).toBe(JUNK + after)
  })

  it('F01 F02 makes a file and a folder for this user alone', async () => {
    const home = lab.at('home')
    await mkdir(home)
    const done = await helper(['update', '--once', ...lab.flags()], { HOME: home })
    expect(done).toEqual({ code: 0, stdout: '', stderr: '' })
    const file = `${home}/.aws/credentials`
    expect(await readFile(file, 'utf8')).toBe(`[default]\n${ALL}\n`)
    expect([await modeOf(file), await modeOf(dirname(file))]).toEqual([0o600, 0o700])
  })

  it('keeps the mode of a file that is there', async () => {
    const file = await lab.write('shared', '', 0o640)
    expect(await updateOnce('test', file)).toMatchObject({ code: 0 })
    expect(await modeOf(file)).toBe(0o640)
  })

  it('leaves an empty line between sections where it is', async () => {
    const file = await lab.write('credentials', '[test]\naws_access_key_id = old\n\n[other]\nx = y')
    expect(await updateOnce('test', file)).toMatchObject({ code: 0 })
    expect(await readFile(file, 'utf8')).toBe(`[test]\n${ALL}\n[other]\nx = y`)
  })

  it('F13 keeps a last line of the section that is another key', async () => {
    const file = await lab.write('credentials', '[test]\naws_access_key_id_old = x\nregion = eu-west-1')
    expect(await updateOnce('test', file)).toMatchObject({ code: 0 })
    const text = await readFile(file, 'utf8')
    expect(text).toContain('aws_access_key_id_old = x\nregion = eu-west-1\n')
    expect(text).toContain(ALL)
  })

  it('F16 refuses a name that would break the file', async () => {
    const file = await lab.write('credentials', JUNK)
    const { code, stderr } = await updateOnce('a]b', file)
    expect({ code, about: messagesOf(stderr)[0]?.startsWith('--profile ') }).toEqual({ code: 1, about: true })
    expect(await readFile(file, 'utf8')).toBe(JUNK)
  })

  it('leaves the file as it is where there is no session, or no room for it', async () => {
    const file = await lab.write('credentials', JUNK)
    lab.service.fault = awsError(403, 'AccessDeniedException', { message: 'no' })
    const refused = await updateOnce('test', file)
    expect({ code: refused.code, messages: messagesOf(refused.stderr) }).toEqual({
      code: 1,
      messages: [expect.stringMatching(/AccessDeniedException: no$/)],
    })
    lab.service.fault = undefined
    const folder = await updateOnce('test', lab.path)
    expect({ code: folder.code, messages: messagesOf(folder.stderr) }).toEqual({
      code: 1,
      messages: [expect.stringMatching(/\[ERR_CREDENTIALS_FILE_\w+\]$/)],
    })
    expect(await readFile(file, 'utf8')).toBe(JUNK)
  })

  it('writes what the AWS CLI reads', async () => {
    lab.service.answer = undefined
    const file = lab.at('for-the-cli')
    expect(await updateOnce('default', file)).toMatchObject({ code: 0, stderr: '' })
    const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_EC2_METADATA_DISABLED: 'true' }
    const { code, stdout, stderr } = await lab.awsCli(['sts', 'get-caller-identity', '--output', 'json'], env)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ Arn: expect.stringContaining(':assumed-role/reader/') })
  })
})

describe('aws_signing_helper update', () => {
  const start = (file: string): RunningHelper => {
    const updater = startHelper(['update', '--profile', 'test', ...lab.flags()], { AWS_SHARED_CREDENTIALS_FILE: file })
    running.push(updater)
    return updater
  }

  it('says when the next session is due, and ends when told', async () => {
    const file = await lab.write('credentials', JUNK)
    const updater = start(file)
    const [, when = ''] = await updater.logged(/Credentials will be refreshed at (\S+)$/)
    const inMinutes = (Date.parse(when) - Date.now()) / 60_000
    expect(inMinutes).toBeGreaterThan(112) // of two hours, less five to six minutes
    expect(inMinutes).toBeLessThan(116)
    expect(await readFile(file, 'utf8')).toBe(`${JUNK}[test]\n${ALL}\n`)
    expect(await updater.stop()).toBe(0)
  })

  it('F17 goes on after what went wrong', async () => {
    lab.service.fault = awsError(403, 'AccessDeniedException', { message: 'not now' })
    const file = await lab.write('credentials', JUNK)
    const updater = start(file)
    await updater.logged(/AccessDeniedException: not now$/)
    await updater.logged(/The next try is at \d{4}-/)
    expect(await readFile(file, 'utf8')).toBe(JUNK)
    lab.service.fault = undefined
    await updater.logged(/Credentials will be refreshed at/)
    expect(await readFile(file, 'utf8')).toBe(`${JUNK}[test]\n${ALL}\n`)
    expect(await updater.stop('SIGINT')).toBe(0)
  }, 30_000)

  it('says so where the file can not be written, and tries again', async () => {
    const folder = lab.at('not-a-file')
    await mkdir(folder)
    const updater = start(folder)
    await updater.logged(/not-a-file was not written \[ERR_CREDENTIALS_FILE_\w+\]$/)
    await rm(folder, { recursive: true })
    await writeFile(folder, '', { mode: 0o600 })
    await updater.logged(/Credentials will be refreshed at/)
    expect(await updater.stop()).toBe(0)
  }, 30_000)
})
