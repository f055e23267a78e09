import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAws, type TestAws } from '@hardbound/testkit'
import { awsError, startRolesAnywhere, type TestRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Certificates, makeCertificates } from './certificates.ts'
import { COMMAND, runProcess } from './helpers.ts'

const AWS = '/usr/bin/aws'
const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
const READER = 'arn:aws:iam::111122223333:role/path/reader'

let aws: TestAws
let service: TestRolesAnywhere
let lab: Certificates
let home: string
let count = 0
beforeAll(async () => {
  ;[aws, lab] = await Promise.all([startAws(), makeCertificates()])
  service = await startRolesAnywhere({ aws })
  service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
  service.addProfile({ arn: PROFILE, roleArns: [READER], acceptRoleSessionName: true })
  await lab.leaf('client')
})
afterAll(async () => {
  await Promise.all([service?.close(), aws?.close(), lab?.remove()])
})
beforeEach(async () => {
  service.fault = undefined
  home = lab.at(`home${++count}`)
  await mkdir(home)
})

const source = () => ({
  certificate: lab.at('client.crt'),
  private_key: lab.at('client.key'),
  intermediates: lab.at('intermediate.crt'),
  endpoint: service.endpoint,
  trust_anchor_arn: ANCHOR,
  profile_arn: PROFILE,
  role_arn: READER,
})
const flags = () => Object.entries(source()).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`)
const environment = () => ({ PATH: '/usr/bin:/bin', HOME: home })
const update = (...args: string[]) => runProcess(process.execPath, [COMMAND, 'update', ...args], environment())
const file = () => join(home, '.aws', 'credentials')

describe('hardbound update', () => {
  it('F01 F02 --once writes a profile that the AWS CLI works with', async () => {
    const { code, stdout, stderr } = await update('roles-anywhere', ...flags(), '--profile', 'reader', '--once')
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({ profile: 'reader', file: file(), msg: 'the profile is current' })
    const text = await readFile(file(), 'utf8')
    expect(text).toMatch(
      /^\[reader\]\naws_access_key_id = ASIA\w+\naws_secret_access_key = .+\naws_session_token = .+\n/,
    )
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    expect((await stat(join(home, '.aws'))).mode & 0o777).toBe(0o700)
    if (!existsSync(AWS)) throw new Error(`${AWS} is missing (Debian and Ubuntu: apt-get install awscli)`)
    const called = await runProcess(
      AWS,
      ['sts', 'get-caller-identity', '--profile', 'reader', '--region', 'us-east-1', '--endpoint-url', aws.endpoint],
      { ...environment(), AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' },
    )
    expect(JSON.parse(called.stdout)).toMatchObject({ Account: '111122223333' })
  })

  it('F03 takes an open file from all others, unless it is told not to', async () => {
    const open = await lab.write('open', '[other]\nregion = x\n', 0o644)
    await update('roles-anywhere', ...flags(), '--once', '--keep-mode', '--credentials-file', open)
    expect((await stat(open)).mode & 0o777).toBe(0o644)
    await update('roles-anywhere', ...flags(), '--once', '--credentials-file', open)
    expect((await stat(open)).mode & 0o777).toBe(0o600)
    expect(await readFile(open, 'utf8')).toMatch(/^\[other\]\nregion = x\n\[default\]\n/)
  })

  it('F08 writes all sources of a file, each to the profile of its name', async () => {
    const sources = { first: { roles_anywhere: source() }, second: { roles_anywhere: source() } }
    const config = await lab.write('sources.yaml', JSON.stringify({ credentials_file: 'theirs', sources }))
    const { code } = await update('-c', config, '--once')
    expect(code).toBe(0)
    const text = await readFile(lab.at('theirs'), 'utf8')
    expect([...text.matchAll(/^\[(\w+)\]$/gm)].map(([, name]) => name).sort()).toEqual(['first', 'second'])
  })

  it('F08 F07 writes those that it can where one of them fails, and says that it failed', async () => {
    const refused = { ...source(), profile_arn: PROFILE.replace('41c1', '00c1') }
    const sources = { bad: { roles_anywhere: refused }, good: { roles_anywhere: source() } }
    const config = await lab.write('some.yaml', JSON.stringify({ credentials_file: 'some', sources }))
    const { code, stderr } = await update('-c', config, '--once')
    expect(code).toBe(1)
    expect(stderr).toMatch(/^hardbound: .*\[ERR_RA_/m)
    expect(await readFile(lab.at('some'), 'utf8')).toMatch(/^\[good\]\n/)
  })

  it('F16 ends where one of several profiles can not be', async () => {
    const sources = { good: { roles_anywhere: source() }, 'a=b': { roles_anywhere: source() } }
    const { code, stderr } = await update('-c', await lab.write('names.yaml', JSON.stringify({ sources })))
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('--profile must have') })
  })

  it('F07 --once that is stopped before it has written has failed', async () => {
    const asked = new Promise<void>((resolve) => (service.fault = () => resolve()))
    const child = spawn(process.execPath, [COMMAND, 'update', 'roles-anywhere', ...flags(), '--once'], {
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let text = ''
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    const closed = once(child, 'close') as Promise<[number | null]>
    await asked
    child.kill('SIGTERM')
    expect((await closed)[0]).not.toBe(0)
    expect(text).toContain('SIGTERM came before all was written')
    expect(existsSync(file())).toBe(false)
  })

  it('F18 works also where its log can not be written', async () => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [COMMAND, 'update', 'roles-anywhere', ...flags(), '--once'], {
      env: environment(),
      stdio: ['ignore', 'ignore', full],
    })
    closeSync(full)
    expect(await once(child, 'close')).toEqual([0, null])
    expect(existsSync(file())).toBe(true)
  })

  it('F07 says that it failed, and leaves the file alone', async () => {
    service.fault = awsError(403, 'AccessDeniedException')
    const { code, stderr } = await update('roles-anywhere', ...flags(), '--once')
    expect(code).toBe(1)
    expect(stderr).toContain('ERR_RA_REFUSED')
    expect(existsSync(file())).toBe(false)
    service.fault = undefined
    await mkdir(join(home, '.aws'))
    await chmod(join(home, '.aws'), 0o777)
    const unsafe = await update('roles-anywhere', ...flags(), '--once')
    expect(unsafe).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_CREDENTIALS_FILE_UNSAFE') })
  })

  it('F17 goes on when a session is not to be had, and ends when it is told to', async () => {
    service.fault = awsError(403, 'AccessDeniedException')
    const child = spawn(process.execPath, [COMMAND, 'update', 'roles-anywhere', ...flags()], {
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let text = ''
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    const closed = once(child, 'close') as Promise<[number | null]>
    try {
      await new Promise<void>((resolve) => child.stderr.on('data', () => text.includes('nextAt') && resolve()))
    } finally {
      child.kill('SIGTERM')
    }
    expect(await closed).toEqual([0, null])
    const [why, event] = text.split('\n').map((line) => (line === '' ? {} : (JSON.parse(line) as object)))
    expect(why).toMatchObject({ profile: 'default', msg: expect.stringContaining('[ERR_RA_REFUSED]') })
    expect(event).toMatchObject({ stage: 'provider', code: 'ERR_RA_REFUSED', nextAt: expect.any(String) })
  })

  it('F16 refuses a profile that no file can have', async () => {
    const { code, stderr } = await update('roles-anywhere', ...flags(), '--once', '--profile', 'a]b')
    expect(code).toBe(2)
    expect(stderr).toContain('--profile')
  })
})

// Root alone can mount a file system that is full.
if (process.geteuid?.() === 0)
  describe('hardbound update, as root', () => {
    it('F06 ends with an error when the disk is full, and the old bytes stay', async () => {
      const [disk, old] = [join(home, 'disk'), `[other]\nregion = x\n# ${'x'.repeat(30_000)}\n`]
      await mkdir(disk)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', disk])
      try {
        const full = join(disk, 'credentials')
        await writeFile(full, old, { mode: 0o600 })
        await writeFile(join(disk, 'filler'), Buffer.alloc(28_000))
        const { code, stdout, stderr } = await update(
          'roles-anywhere',
          ...flags(),
          '--once',
          '--credentials-file',
          full,
        )
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
        expect(stderr).toContain('ERR_CREDENTIALS_FILE_FULL')
        expect(await readFile(full, 'utf8')).toBe(old)
        expect((await readdir(disk)).sort()).toEqual(['credentials', 'filler'])
      } finally {
        execFileSync('umount', [disk])
      }
    })
  })
