import { existsSync } from 'node:fs'
import {
  startAws,
  startIssuer,
  startLauncher,
  type TestAws,
  type TestIssuer,
  type TestLauncher,
} from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  AUDIENCE,
  COMMAND,
  type Folder,
  makeBroker,
  makeFolder,
  ROLE,
  type RunningBroker,
  runBroker,
  runProcess,
  USER,
} from './helpers.ts'

const AWS = '/usr/bin/aws'

let folder: Folder
let issuer: TestIssuer
let launcher: TestLauncher
let aws: TestAws
let broker: RunningBroker

beforeAll(async () => {
  if (!existsSync(AWS))
    throw new Error(`${AWS} is missing: install the AWS CLI (Debian and Ubuntu: apt-get install awscli)`)
  folder = await makeFolder()
  issuer = await startIssuer()
  launcher = await startLauncher({ issuer })
  aws = await startAws()
  aws.addUser(USER)
  aws.addRole({ arn: ROLE, trusts: [USER.arn] })
  aws.addBucket('reports', { 'june.csv': 'a,b\n', 'july.csv': 'c,d\n' })
  const { file, caFile } = await makeBroker(folder, { issuer, aws })
  broker = await runBroker(file)
  const command = [process.execPath, COMMAND, 'aws', 'ekm', '--broker', broker.url, '--audience', AUDIENCE]
  command.push('--ca', caFile, '--socket', launcher.socketPath, '--role-arn', ROLE)
  await folder.write('config', `[default]\nregion = eu-west-1\ncredential_process = ${command.join(' ')}\n`)
})
afterAll(async () => {
  await broker?.stop()
  await Promise.all([launcher?.close(), issuer?.close(), aws?.close()])
  await folder?.remove()
})

/** The AWS CLI with nothing but our line in its configuration: no key in its environment. */
const awsCli = (...args: string[]) =>
  runProcess(AWS, [...args, '--endpoint-url', aws.endpoint], {
    PATH: '/usr/bin:/bin',
    HOME: folder.path,
    AWS_CONFIG_FILE: `${folder.path}/config`,
    AWS_SHARED_CREDENTIALS_FILE: `${folder.path}/none`,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_PAGER: '',
  })

describe('the AWS CLI with hardbound aws ekm as its credential_process', () => {
  it('F18 is the role that the rule names', async () => {
    const { code, stdout, stderr } = await awsCli('sts', 'get-caller-identity', '--output', 'json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      Account: '444455556666',
      Arn: expect.stringMatching(/^arn:aws:sts::444455556666:assumed-role\/reader\/hb-\d+$/),
    })
  })

  it('lists a bucket', async () => {
    const { code, stdout, stderr } = await awsCli('s3', 'ls', 's3://reports')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('june.csv')
    expect(stdout).toContain('july.csv')
  })

  it('K01 shows the reason where the broker refuses the image', async () => {
    launcher.claims = { submods: { container: { image_digest: `sha256:${'00'.repeat(32)}` } } }
    const { code, stdout, stderr } = await awsCli('sts', 'get-caller-identity')
    launcher.claims = {}
    expect(code).not.toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toContain('policy_denied')
  })
})
