import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { startAws, type TestAws } from '@hardbound/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { HttpRequest } from '@smithy/protocol-http'
import type { HmacBackend } from '../src/hmac-backend.ts'
import { hardwareCredentials, hmacSignerConstructor } from '../src/hmac-signer-constructor.ts'
import { softwareHmac } from '../src/software-backend.ts'

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/robot',
}
let aws: TestAws
beforeAll(async () => {
  aws = await startAws()
  aws.addUser(USER)
  aws.addBucket('data', { 'a b+c/é.txt': 'hello', 'plain.txt': 'x' })
})
afterAll(() => aws?.close())

const software = softwareHmac(USER)
const clientConfig = (backend: HmacBackend = software) => ({
  region: 'eu-west-1',
  endpoint: aws.endpoint,
  credentials: hardwareCredentials(USER.accessKeyId),
  signerConstructor: hmacSignerConstructor(backend),
})
const REQUEST = new HttpRequest({ method: 'GET', hostname: 'example.com', path: '/', headers: { host: 'example.com' } })
const NOW = Date.parse('2026-08-22T12:00:00Z')
const signerOf = (init: object = {}) =>
  new (hmacSignerConstructor(software, { clock: () => NOW }))({
    credentials: hardwareCredentials(USER.accessKeyId),
    region: 'eu-west-1',
    service: 's3',
    uriEscapePath: false,
    ...init,
  })

describe('hmacSignerConstructor', () => {
  it('signs every call of an S3 client, without an STS session', async () => {
    const s3 = new S3Client({ ...clientConfig(), forcePathStyle: true })
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: 'data' }))
    expect(Contents.map(({ Key }) => Key).sort()).toEqual(['a b+c/é.txt', 'plain.txt'])
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'data', Key: 'a b+c/é.txt' }))
    expect(await Body?.transformToString()).toBe('hello')
    s3.destroy()
    expect(aws.calls.map(({ action }) => action)).not.toContain('GetSessionToken')
  })

  it('asks the backend once for all clients, calls and regions of a day and service', async () => {
    const hmacSha256 = jest.fn<HmacBackend['hmacSha256']>((message, o) => software.hmacSha256(message, o))
    const config = clientConfig({ ...software, hmacSha256 })
    const clients = [new STSClient(config), new STSClient(config)]
    await Promise.all(Array.from({ length: 20 }, (_, i) => clients[i % 2]!.send(new GetCallerIdentityCommand({}))))
    for (const client of clients) client.destroy()
    expect(hmacSha256).toHaveBeenCalledTimes(1)
  })

  it('leaves the request it was given as it was', async () => {
    const signed = await signerOf().sign(REQUEST)
    expect(signed.headers.authorization).toContain('AKIAIOSFODNN7EXAMPLE')
    expect(REQUEST.headers).toEqual({ host: 'example.com' })
    expect(HttpRequest.isInstance(signed)).toBe(true)
  })

  it.each([4, -4])('S07 follows the SDK when it puts its clock right by %d minutes', async (minutes) => {
    const signed = await signerOf().sign(REQUEST, { signingDate: new Date(NOW + minutes * 60_000) })
    expect(signed.headers).toHaveProperty('authorization')
  })
  it.each([6, -6, 16, Number.NaN])('S07 does not follow it by %d minutes', async (minutes) => {
    const signingDate = new Date(NOW + minutes * 60_000)
    await expect(signerOf().sign(REQUEST, { signingDate })).rejects.toMatchObject({ code: 'ERR_SIGV4_CLOCK' })
  })

  it.each([
    ['SigV4A', REQUEST, { signingRegion: '*' }],
    ['SigV4A', REQUEST, { signingRegion: 'us-east-1,us-west-2' }],
    ['a policy', 'policy' as never, {}],
    ['an event', { headers: new Uint8Array(), payload: new Uint8Array() } as never, {}],
  ])('says that it can not do %s', async (_, request, options) => {
    await expect(signerOf().sign(request, options)).rejects.toMatchObject({ code: 'ERR_SIGV4_UNSUPPORTED' })
  })

  it.each([{ signingRegion: 'a/b' }, { signingService: 's3\n' }])('S03 refuses %j', async (options) => {
    await expect(signerOf().sign(REQUEST, options)).rejects.toThrow(TypeError)
  })

  it('presigns', async () => {
    const { query = {} } = await signerOf().presign(REQUEST, { expiresIn: 60 })
    expect(query).toMatchObject({ 'X-Amz-Expires': '60', 'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/) })
    await expect(signerOf().presign(REQUEST, { expiresIn: 604_801 })).rejects.toThrow(RangeError)
  })

  it('passes on what the backend says', async () => {
    const closed = softwareHmac(USER)
    await closed.close()
    const sts = new STSClient({ ...clientConfig(closed), maxAttempts: 1 })
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({ code: 'ERR_HMAC_CLOSED' })
    sts.destroy()
  })
})

it('hardwareCredentials takes an access key id', () => {
  expect(() => hardwareCredentials('not one')).toThrow(TypeError)
})
