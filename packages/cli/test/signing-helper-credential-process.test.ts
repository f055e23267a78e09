import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  awsError,
  hugeBody,
  plainPage,
  startRolesAnywhere,
  withCredentialSets,
  withCredentials,
} from '@hardbound/testkit/roles-anywhere'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { ANCHOR, ASKED, HELPER, helper, type Lab, makeLab, messagesOf, PROFILE, ROLE, STAMP } from './signing-helper.ts'

let lab: Lab
beforeAll(async () => {
  lab = await makeLab()
})
afterAll(() => lab?.close())
beforeEach(() => lab.reset())

const credentialProcess = (flags: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  helper(['credential-process', ...flags], env)

/** The one line on stderr of a run that failed. */
async function failure(flags: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { code, stdout, stderr } = await credentialProcess(flags, env)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.match(STAMP)).toHaveLength(1)
  return messagesOf(stderr).join('\n')
}

describe('aws_signing_helper credential-process', () => {
  it('F18 writes the octets that the original does, and nothing else', async () => {
    lab.service.answer = withCredentials({
      accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY<&>',
      sessionToken: 'a-token-of-the-example<&>',
      expiration: '2026-11-22T10:50:55.120Z'.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d/, soon()),
    })
    const { code, stdout, stderr } = await credentialProcess([...lab.flags(), '--session-duration', '900'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(
      '{"Version":1,"AccessKeyId":"ASIAIOSFODNN7EXAMPLE",' +
        '"SecretAccessKey":"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\\u003c\\u0026\\u003e",' +
        `"SessionToken":"a-token-of-the-example\\u003c\\u0026\\u003e","Expiration":"${soon()}:55.120Z"}`,
    )
    expect(lab.service.calls).toMatchObject([{ requestedSeconds: 900, chainLength: 1 }])
  })

  it('is what the AWS CLI starts, and the CLI is the role then', async () => {
    const line = [process.execPath, HELPER, 'credential-process', ...lab.flags()].join(' ')
    await lab.write('config', `[default]\nregion = us-east-1\ncredential_process = ${line}\n`)
    const env = { AWS_EC2_METADATA_DISABLED: 'true' }
    const { code, stdout, stderr } = await lab.awsCli(['sts', 'get-caller-identity', '--output', 'json'], env)
    await lab.write('config', '')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      Account: '111122223333',
      Arn: expect.stringMatching(/^arn:aws:sts::111122223333:assumed-role\/reader\/[0-9a-f]+$/),
    })
  })

  it('leaves the duration to the profile where none is given', async () => {
    expect(await credentialProcess(lab.flags())).toMatchObject({ code: 0, stderr: '' })
    expect(lab.service.calls[0]).not.toHaveProperty('requestedSeconds')
    expect(lab.service.calls).toMatchObject([{ durationSeconds: 7200 }])
  })

  it('passes on session name and region', async () => {
    const flags = [...lab.flags(), '--role-session-name', 'me', '--region', 'us-east-1']
    expect(await credentialProcess(flags)).toMatchObject({ code: 0, stderr: '' })
    expect(lab.service.calls).toMatchObject([{ roleSessionName: 'me' }])
  })

  it('names ARNs that are missing before it reads anything', async () => {
    const pair = ['--certificate', '/none', '--private-key', '/none']
    expect(await failure(pair)).toBe('missing: --role-arn, --profile-arn, --trust-anchor-arn')
    expect(await failure([...pair, ...ASKED.slice(0, 4), '--role-arn='])).toBe('missing: --role-arn')
  })

  it.each([
    [['--role-arn', 'reader'], '--role-arn must be an ARN like arn:aws:iam::…:role/…'],
    [
      ['--profile-arn', PROFILE.replace('us-east-1', 'eu-west-1')],
      '--profile-arn is in eu-west-1 and --trust-anchor-arn in us-east-1: they must be in one region',
    ],
    [['--trust-anchor-arn', ROLE], '--trust-anchor-arn must be an ARN like arn:aws:rolesanywhere:…:trust-anchor/…'],
    [['--session-duration', '899'], '--session-duration must be a whole number from 900 to 43200, got 899'],
    [['--session-duration', '43201'], '--session-duration must be a whole number from 900 to 43200, got 43201'],
    [['--role-session-name', 'a b'], '--role-session-name must be 2 to 64 characters of A-Z, a-z, 0-9 and _+=,.@-'],
    [['--endpoint', 'http://192.0.2.1'], '--endpoint must be an https: URL; http: is for loopback addresses'],
  ])('refuses %j without asking anybody', async (flags, message) => {
    expect(await failure([...lab.flags(), ...flags])).toBe(message)
    expect(lab.service.requests).toEqual([])
  })

  it('S12 refuses --no-verify-ssl, and says what helps', async () => {
    expect(await failure([...lab.flags(), '--no-verify-ssl'])).toMatch(/^--no-verify-ssl: .*AWS_CA_BUNDLE$/)
    expect(lab.service.requests).toEqual([])
  })

  it('warns of passwords in flags, and uses them', async () => {
    const password = ['-passout', 'pass:correct horse']
    await lab.openssl('pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-in', 'ec.key', ...password, '-out', 'locked.key')
    const flags = [...ASKED, '--endpoint', lab.service.endpoint, ...lab.pair('ec', 'locked')]
    const { code, stderr } = await credentialProcess([...flags, '--pkcs8-password', 'correct horse'])
    expect(code).toBe(0)
    expect(messagesOf(stderr)).toEqual(['warning: --pkcs8-password: other users of this machine can see arguments'])
    const wrong = await credentialProcess([...flags, '--pkcs8-password', 'wrong horse', '--debug'])
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong.stderr).toContain('[ERR_RA_PASSWORD]')
    expect(wrong.stderr).not.toContain('horse')
  })

  it('warns of a PIN in a URI', async () => {
    const uri = 'pkcs11:token=none;object=none?pin-value=123456'
    const { code, stderr } = await credentialProcess([...lab.flags(), '--private-key', uri, '--pkcs11-lib', '/none.so'])
    expect(code).toBe(1)
    expect(messagesOf(stderr)[0]).toBe(
      'warning: pin-value in --private-key: other users of this machine can see arguments',
    )
    expect(stderr).not.toContain('123456')
  })
})

describe('what aws_signing_helper says of a failed CreateSession', () => {
  const HEAD = 'operation error RolesAnywhere: CreateSession, https response error StatusCode:'

  it('U20 has the form of the original, and then the cure', async () => {
    lab.service.fault = awsError(403, 'AccessDeniedException', {
      message: 'Untrusted signing certificate',
      headers: { 'x-amzn-requestid': 'example-1' },
    })
    expect(await failure(lab.flags())).toMatch(
      /^operation error RolesAnywhere: CreateSession, https response error StatusCode: 403, RequestID: example-1, AccessDeniedException: Untrusted signing certificate; .*check --trust-anchor-arn/,
    )
  })

  it.each([
    ['ValidationException', 400, `${HEAD} 400, RequestID: example-1, ValidationException: odd`],
    ['ResourceNotFoundException', 404, `${HEAD} 404, RequestID: example-1, ResourceNotFoundException: odd`],
    ['WeirdException', 400, `${HEAD} 400, RequestID: example-1, api error WeirdException: odd`],
  ])('is as the original has it for %s', async (code, status, message) => {
    lab.service.fault = awsError(status, code, { message: 'odd', headers: { 'x-amzn-requestid': 'example-1' } })
    expect(await failure(lab.flags())).toBe(message)
  })

  it('says how often it was tried', async () => {
    lab.service.fault = awsError(500, 'InternalServerException', { headers: { 'x-amzn-requestid': 'r' } })
    const head = (tries: number) =>
      `operation error RolesAnywhere: CreateSession, exceeded maximum number of attempts, ${tries}, https response error StatusCode: 500, RequestID: r, api error InternalServerException: `
    expect(await failure(lab.flags())).toContain(head(3))
    expect(await failure(lab.flags(), { AWS_MAX_ATTEMPTS: '1' })).toContain(head(1))
    expect(lab.service.requests).toHaveLength(4)
  })

  it('says that nobody is there', async () => {
    expect(await failure([...lab.flags(), '--endpoint', 'http://127.0.0.1:1'])).toBe(
      'operation error RolesAnywhere: CreateSession, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, can not connect to 127.0.0.1:1 (ECONNREFUSED)',
    )
  })

  it('U20 quotes nothing of an answer that is not the service', async () => {
    lab.service.fault = plainPage(404, 'text/html', '<html>canary</html>')
    const text = await failure(lab.flags())
    expect(text).toContain(`${HEAD} 404, RequestID: , api error UnknownError: UnknownError; `)
    expect(text).not.toContain('canary')
    lab.service.fault = hugeBody(100_000)
    expect(await failure(lab.flags())).toContain('[ERR_RA_RESPONSE]')
  })

  it.each([
    ['no set of credentials', withCredentialSets(0)],
    ['two', withCredentialSets(2)],
    ['a member missing', withCredentials({ sessionToken: undefined })],
    ['an end that is none', withCredentials({ expiration: 'soon' })],
  ])('U20 takes no answer with %s', async (_, answer) => {
    lab.service.answer = answer
    const { code, stdout, stderr } = await credentialProcess([...lab.flags(), '--debug'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(messagesOf(stderr).slice(1)).toEqual([
      expect.stringMatching(/^the answer to CreateSession .*\[ERR_RA_RESPONSE\]$/),
    ])
    expect(stderr).not.toContain('ASIA')
  })

  it('S11 finds a key of another certificate before anything is sent', async () => {
    const flags = [...ASKED, '--endpoint', lab.service.endpoint, ...lab.pair('ec', 'other')]
    expect(await failure(flags)).toContain('[ERR_RA_MISMATCH]')
    expect(lab.service.requests).toEqual([])
  })
})

describe('the environment of aws_signing_helper', () => {
  it('says the endpoint, unless the flag does', async () => {
    const [, ...flags] = lab.flags().filter((it) => it !== '--endpoint' && it !== lab.service.endpoint)
    const pure = ['--trust-anchor-arn', ...flags]
    const url = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_ENDPOINT_URL_ROLESANYWHERE: lab.service.endpoint }
    expect(await credentialProcess(pure, url)).toMatchObject({ code: 0, stderr: '' })
    const other = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_ENDPOINT_URL_ROLESANYWHERE: 'http://127.0.0.1:1' }
    expect(await credentialProcess(lab.flags(), other)).toMatchObject({ code: 0, stderr: '' })
    const ignored = { ...url, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_MAX_ATTEMPTS: '1' }
    const nowhere = ['--region', 'nowhere-1']
    expect(await failure([...pure, ...nowhere], ignored)).toContain('--region nowhere-1 is in no known partition')
  })

  it('chooses FIPS and dual stack, not with an endpoint', async () => {
    const env = { AWS_USE_FIPS_ENDPOINT: 'true' }
    expect(await failure(lab.flags(), env)).toContain('--endpoint goes neither with AWS_USE_FIPS_ENDPOINT')
    expect(await failure(lab.flags(), { AWS_USE_DUALSTACK_ENDPOINT: 'maybe' })).toBe(
      'AWS_USE_DUALSTACK_ENDPOINT must be true or false',
    )
  })

  it('has the authorities to trust in AWS_CA_BUNDLE', async () => {
    const tls = await startRolesAnywhere({ tls: true })
    try {
      tls.addTrustAnchor({ arn: ANCHOR, caPem: lab.rootPem })
      tls.addProfile({ arn: PROFILE, roleArns: [ROLE] })
      const ca = await lab.write('tls-ca.pem', tls.caPem ?? '')
      const flags = [...lab.flags(), '--endpoint', tls.endpoint]
      expect(await credentialProcess(flags, { AWS_CA_BUNDLE: ca })).toMatchObject({ code: 0, stderr: '' })
      expect(await failure(flags)).toContain('give it as AWS_CA_BUNDLE [ERR_RA_UNTRUSTED]')
      expect(await failure(flags, { AWS_CA_BUNDLE: '/none' })).toBe("AWS_CA_BUNDLE: /none can't be read (ENOENT)")
      expect(await failure(flags, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toContain('[ERR_RA_UNTRUSTED]')
    } finally {
      await tls.close()
    }
  })

  it('says the proxy with --with-proxy', async () => {
    const connects: string[] = []
    const proxy = createServer().on('connect', (request, socket) => {
      connects.push(request.url ?? '')
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    try {
      const env = { HTTPS_PROXY: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, AWS_MAX_ATTEMPTS: '1' }
      const flags = [...ASKED, ...lab.pair('ec'), '--endpoint', 'https://vpce.example.com:9']
      expect(await failure([...flags, '--with-proxy'], env)).toContain('answered 403 to CONNECT vpce.example.com:9')
      expect(connects).toEqual(['vpce.example.com:9'])
      expect(await failure([...flags, '--with-proxy'], { HTTPS_PROXY: 'socks5://127.0.0.1:1' })).toBe(
        'the proxy of the environment must be a URL like http://proxy.example.com:3128',
      )
    } finally {
      proxy.close()
    }
  })
})

/** Ten minutes from now, to the minute. */
const STARTED = Date.now()
function soon(): string {
  return new Date(STARTED + 600_000).toISOString().slice(0, 16)
}
