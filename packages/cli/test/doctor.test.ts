import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTestPki, startIssuer, startLauncher } from '@hardbound/testkit'
import { createSoftHsm, startSwtpm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { allFindings } from '../src/doctor/run-doctor.ts'
import { contextOf, lines } from './doctor-context.ts'
import { type Folder, hardbound, makeFolder, USER } from './helpers.ts'

let home: Folder
let softHsm: TestSoftHsm
let server: Server
let ca: string
let pin: string
let broker: string
beforeAll(async () => {
  const pki = await createTestPki()
  ;[home, softHsm] = await Promise.all([makeFolder(), createSoftHsm()])
  const { certPem, keyPem, spkiSha256 } = await pki.issue({ commonName: 'x', dns: ['localhost'] })
  server = createServer({ cert: certPem, key: keyPem }, (_, response) => response.writeHead(404).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  broker = `https://localhost:${(server.address() as AddressInfo).port}`
  ca = await home.write('ca.pem', pki.caPem)
  pin = spkiSha256
})
afterAll(async () => {
  server.close()
  await Promise.all([home.remove(), softHsm.remove()])
})

/** Without the keys that other tests have in the environment. */
const doctor = (args: readonly string[], env: Record<string, string> = {}) =>
  hardbound(['doctor', ...args], {
    env: { HOME: home.path, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', ...softHsm.env, ...env },
  })
interface Report {
  findings: { check: string; status: string; message: string }[]
  summary: Record<string, number>
}
const wrong = ({ findings }: Report) => findings.filter(({ status, check }) => status !== 'ok' && check !== 'node')

describe('hardbound doctor', () => {
  it('finds a machine on which everything works', async () => {
    const [issuer, swtpm] = await Promise.all([startIssuer(), startSwtpm()])
    const launcher = await startLauncher({ issuer })
    const here = ['--tpm', swtpm.address, '--module', softHsm.modulePath, '--socket', launcher.socketPath]
    const { code, stdout, stderr } = await doctor(['--json', ...here, '--broker', broker, '--ca', ca, '--pin', pin])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const report = JSON.parse(stdout) as Report
    expect(wrong(report)).toMatchObject([{ check: 'aws-config', status: 'absent' }])
    expect([...new Set(report.findings.map(({ check }) => check))]).toEqual([
      ...['node', 'launcher', 'tpm', 'pkcs11', 'clock', 'broker', 'aws-config'],
    ])
    expect(report.summary).toMatchObject({ problems: 0, absent: 1 })
    expect(launcher.requests).toEqual([{ path: '/', body: undefined }])
    await Promise.all([launcher.close(), swtpm.stop()])
    await issuer.close()
  })

  it('prints a line for each finding, cures and a summary; problems make the exit code 1', async () => {
    const config = await home.write(
      'config',
      '[default]\ncredential_process = /nonexistent/hardbound aws tpm --hunter "hunter2"\n',
    )
    const { code, stdout, stderr } = await doctor(['--offline', '--tpm', '/nonexistent'], { AWS_CONFIG_FILE: config })
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).toMatch(/^(ok|warning) +node +/)
    expect(stdout).toContain('\nPROBLEM  tpm         /nonexistent does not exist\n')
    expect(stdout).toContain(
      `credential_process: unknown flag --hunter\n${' '.repeat(21)}> see hardbound aws tpm --help\n`,
    )
    expect(stdout).toMatch(/\n\n3 problems, \d warnings?, \d+ ok, \d not on this machine\n$/)
    expect(stdout).not.toMatch(/hunter2|clock|broker/)
  })

  it('lets warnings pass, and shows no key', async () => {
    const env = { AWS_ACCESS_KEY_ID: USER.accessKeyId, AWS_SECRET_ACCESS_KEY: USER.secretAccessKey }
    const swtpm = await startSwtpm()
    const { code, stdout } = await doctor(['--offline', '--tpm', swtpm.address], env)
    await swtpm.stop()
    expect(code).toBe(0)
    expect(stdout).toMatch(/warning +aws-config +AWS_ACCESS_KEY_ID is set to a long-lived key/)
    expect(stdout).not.toMatch(new RegExp(`${USER.accessKeyId}|${USER.secretAccessKey.slice(0, 8)}`))
  })

  it('T17 verifies servers whatever the environment says', async () => {
    const other = await home.write('other.pem', (await createTestPki()).caPem)
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' }
    const run = await doctor(['--json', '--date-from', broker, '--broker', broker, '--ca', other], env)
    expect(run).toMatchObject({ code: 1, stderr: '' })
    const { findings } = JSON.parse(run.stdout) as Report
    expect(findings.filter(({ check }) => check === 'clock' || check === 'broker')).toMatchObject([
      { check: 'clock', status: 'warning', message: expect.stringContaining('not reached') },
      { check: 'broker', status: 'problem', message: expect.stringContaining('not trusted') },
    ])
    expect(run.stdout).toContain('NODE_TLS_REJECT_UNAUTHORIZED is set')
  })

  it('M28 ends in ten seconds, whatever hangs', async () => {
    const source = await home.write('hang.c', '__attribute__((constructor)) static void f(void) { for (;;) sleep(1); }')
    const module = join(home.path, 'hang.so')
    await promisify(execFile)('cc', ['-shared', '-fPIC', '-w', '-o', module, source])
    const begin = Date.now()
    const { code, stdout } = await doctor(['--offline', '--module', module])
    expect(Date.now() - begin).toBeLessThan(11_000)
    expect(code).toBe(1)
    expect(stdout).toContain(`${module} does not answer within 8 s`)
  }, 20_000)

  it.each<[number, string[], string]>([
    [2, ['--tpm', 'swtpm:192.0.2.1:2321'], 'a TPM of another machine is not looked at'],
    [2, ['--offline', '--broker', 'https://localhost'], '--offline'],
    [2, ['--broker', 'http://localhost', '--pin', '0'.repeat(64)], '--broker'],
    [2, ['--broker', 'https://localhost'], '--ca'],
    [2, ['--broker', 'https://localhost', '--pin', 'hunter2'], '--pin'],
    [2, ['--pin', 'hunter2'], '--pin needs --broker'],
    [2, ['--date-from', 'http://hunter2'], '--date-from'],
    [2, ['--module', 'hunter2.so'], '--module'],
    [2, ['--unknown'], '--unknown'],
    [1, ['--ca', '/nonexistent'], '--ca'],
  ])('ends with %i: %j', async (code, args, why) => {
    const outcome = await doctor(args)
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(why)
    expect(outcome.stderr).not.toContain('hunter2')
  })
})

describe('allFindings', () => {
  const NONE = () => Promise.resolve([])
  const NO_CHECKS = {
    ...{ node: NONE, launcher: NONE, tpm: NONE, pkcs11: NONE, clock: NONE, broker: NONE },
    'aws-config': NONE,
  }

  it('makes a finding of whatever is thrown, and shows only what is ours', async () => {
    const throwing = (error: unknown) => () => Promise.reject(error as Error)
    const checks = {
      ...NO_CHECKS,
      node: throwing(Object.assign(new Error('hunter2'), { code: 'ENOENT' })),
      tpm: throwing(Object.assign(new Error('the TPM is busy'), { code: 'ERR_TPM_BUSY' })),
      clock: throwing('hunter2'),
      broker: () => {
        throw new TypeError('hunter2')
      },
    }
    expect(lines(await allFindings(contextOf(), checks))).toEqual([
      'problem: the check failed: internal error: Error ENOENT',
      'problem: the check failed: the TPM is busy',
      'problem: the check failed: internal error: unknown',
      'problem: the check failed: internal error: TypeError',
    ])
  })

  it('waits for none that does not end', async () => {
    const checks = { ...NO_CHECKS, launcher: () => new Promise<never>(() => {}) }
    expect(await allFindings(contextOf(), checks, 100)).toEqual([
      { check: 'launcher', status: 'problem', message: 'the check did not end within 0.1 s' },
    ])
  })
})
