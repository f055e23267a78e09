import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAws, type TestAws } from '@hardbound/testkit'
import { awsError, startRolesAnywhere, type TestRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { cacheKeyOf } from '../src/internal/through-cache.ts'
import { rolesAnywhereSource } from '../src/sources/roles-anywhere.ts'
import { type Certificates, makeCertificates } from './certificates.ts'
import { COMMAND, type Outcome, runProcess } from './helpers.ts'

const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
const READER = 'arn:aws:iam::111122223333:role/path/reader'

let aws: TestAws
let service: TestRolesAnywhere
let lab: Certificates
let folder: string
beforeAll(async () => {
  ;[aws, lab] = await Promise.all([startAws(), makeCertificates()])
  service = await startRolesAnywhere({ aws })
  service.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
  service.addProfile({ arn: PROFILE, roleArns: [READER], acceptRoleSessionName: true })
  await lab.leaf('client')
  folder = lab.at('hardbound')
})
afterAll(async () => {
  await Promise.all([service?.close(), aws?.close(), lab?.remove()])
})
beforeEach(async () => {
  service.fault = undefined
  ;(service.calls as unknown[]).length = 0
  await rm(folder, { recursive: true, force: true })
})

const run = (args: readonly string[], stdin = ''): Promise<Outcome> =>
  runProcess(process.execPath, [COMMAND, ...args], { PATH: '/usr/bin:/bin', XDG_CACHE_HOME: lab.path }, stdin)
const rolesAnywhere = (...more: string[]) =>
  run([
    ...['aws', 'roles-anywhere', '--certificate', lab.at('client.crt'), '--private-key', lab.at('client.key')],
    ...['--intermediates', lab.at('intermediate.crt'), '--endpoint', service.endpoint],
    ...['--trust-anchor-arn', ANCHOR, '--profile-arn', PROFILE, '--role-arn', READER, ...more],
  ])

describe('hardbound aws … --cache', () => {
  it('asks once for many runs, and keeps the session where nobody else can read it', async () => {
    const first = await rolesAnywhere('--cache')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(await rolesAnywhere('--cache')).toEqual(first)
    expect(service.calls).toHaveLength(1)
    const [name = '', ...more] = await readdir(folder)
    expect(more).toEqual([])
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  it('F18 is one session for fifty runs at a time', async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => rolesAnywhere('--cache')))
    expect(new Set(outcomes.map(({ code, stdout, stderr }) => `${code} ${stdout} ${stderr}`)).size).toBe(1)
    expect(service.calls).toHaveLength(1)
  })

  it('asks anew for another session, and without --cache', async () => {
    await rolesAnywhere('--cache')
    await rolesAnywhere('--cache', '--duration', '900')
    await rolesAnywhere()
    expect(service.calls).toHaveLength(3)
    expect(await readdir(folder)).toHaveLength(2)
  })

  it('asks anew where a file has become another', async () => {
    await rolesAnywhere('--cache')
    await lab.leaf('client')
    await rolesAnywhere('--cache')
    expect(service.calls).toHaveLength(2)
  })

  it('F18 prints keys also where nobody hears its warnings', async () => {
    await mkdir(lab.at('open'))
    const chain = await Promise.all(['client.crt', 'intermediate.crt'].map((name) => readFile(lab.at(name))))
    await writeFile(lab.at('open/id.pem'), Buffer.concat(chain))
    await writeFile(lab.at('open/id.key'), await readFile(lab.at('client.key')), { mode: 0o644 })
    const args = ['--store', `folder:${lab.at('open')}`, '--endpoint', service.endpoint, '--trust-anchor-arn', ANCHOR]
    const flags = [...args, '--profile-arn', PROFILE, '--role-arn', READER]
    const stderr = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [COMMAND, 'aws', 'roles-anywhere', ...flags], {
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', stderr],
    })
    let stdout = ''
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')))
    const [code] = (await once(child, 'close')) as [number]
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\{"Version":1,/) })
  })

  it('keeps no failure', async () => {
    service.fault = awsError(403, 'AccessDeniedException')
    expect(await rolesAnywhere('--cache')).toMatchObject({ code: 1, stdout: '' })
    service.fault = undefined
    expect((await rolesAnywhere('--cache')).code).toBe(0)
  })

  it('refuses a folder that others can write to', async () => {
    await rolesAnywhere('--cache')
    await runProcess('/bin/chmod', ['777', folder], {})
    const { code, stdout, stderr } = await rolesAnywhere('--cache')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('ERR_CACHE_UNSAFE')
  })

  it('does not go with what is read once', async () => {
    const { code, stderr } = await run(['aws', 'roles-anywhere', '--certificate', 'stdin', '--cache'])
    expect(code).toBe(2)
    expect(stderr).toContain('--cache does not go with a --certificate that is read once')
  })

  it('hardbound cache clear removes all of it, and nothing else', async () => {
    await rolesAnywhere('--cache')
    await writeFile(join(folder, 'mine'), 'kept')
    const { code, stdout } = await run(['cache', 'clear', '--json'])
    expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { folder, removed: 1 } })
    expect(await readdir(folder)).toEqual(['mine'])
    expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('kept')
    await rm(folder, { recursive: true })
    expect((await run(['cache', 'clear'])).stdout).toBe(`removed 0 sessions from ${folder}\n`)
  })
})

describe('cacheKeyOf', () => {
  const source = { name: 'tpm', files: ['policy'] }
  it('is all flags but the code of an MFA device, which is another each time', () => {
    const key = (code: string) => cacheKeyOf(source, { region: 'eu-west-1', 'mfa-code': code })
    expect(key('123456')).toEqual(key('654321'))
    expect(cacheKeyOf(source, { region: 'eu-west-2' })).not.toEqual(key('123456'))
    expect(cacheKeyOf({ ...source, name: 'kms' }, { region: 'eu-west-1' })).not.toEqual(key('123456'))
  })
  it('has the folder where a path starts there', () => {
    expect(cacheKeyOf(source, { policy: 'package.json' })).toHaveProperty('folder', process.cwd())
    expect(cacheKeyOf(source, { policy: join(process.cwd(), 'package.json') })).not.toHaveProperty('folder')
  })

  describe('F18 is another one for another session', () => {
    const keyOf = (flags: Record<string, string>) => cacheKeyOf(rolesAnywhereSource, flags)

    it('where files hold something else behind the same name', async () => {
      expect(rolesAnywhereSource.files).toEqual(expect.arrayContaining(['certificate', 'selector', 'policy', 'ca']))
      for (const flag of rolesAnywhereSource.files) {
        const path = await lab.write('same', 'a')
        await symlink(path, lab.at('link')).catch(() => {})
        const values = flag === 'selector' ? [`file://${path}`] : [path, lab.at('link'), `file:${path}`]
        const before = values.map((value) => keyOf({ [flag]: value }))
        await lab.write('same', 'b')
        for (const [at, value] of values.entries()) expect(keyOf({ [flag]: value })).not.toEqual(before[at])
      }
    })

    it('where a folder holds something else, whatever else is in it', async () => {
      const store = lab.at('store')
      await mkdir(store)
      await symlink('nowhere', lab.at('store/a'))
      const keys = [keyOf({ store: `folder:${store}` })]
      await lab.write('store/b', 'one')
      keys.push(keyOf({ store: `folder:${store}` }))
      await lab.write('store/b', 'three')
      keys.push(keyOf({ store: `folder:${store}` }))
      expect(new Set(keys.map((it) => JSON.stringify(it))).size).toBe(3)
    })

    it('so that what is read once, or is too large, is refused', async () => {
      const fifo = lab.at('fifo')
      execFileSync('mkfifo', [fifo])
      expect(() => keyOf({ policy: fifo })).toThrow('--policy that is read once')
      for (const place of ['stdin', 'fd:3', 'env:X']) expect(() => keyOf({ certificate: place })).toThrow('read once')
      const large = await lab.write('large', 'x'.repeat(1_048_577))
      expect(() => keyOf({ ca: large })).toThrow('--ca of more than 1 MiB')
      expect(keyOf({ ca: await lab.write('large', 'x'.repeat(1_048_576)) })).toBeDefined()
    })
  })
})
