import { createHmac } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createHmacSigner } from '@hardbound/sigv4-hmac'
import type { HmacBackend } from '@hardbound/sigv4-hmac/backend'
import { createTestPki } from '@hardbound/testkit'
import { startAwsKms, startGoogleKms, type TestAwsKms, type TestGoogleKms } from '@hardbound/testkit/kms'
import { expect, jest } from '@jest/globals'
import { awsKmsUnwrapper } from '../src/aws-kms-unwrapper.ts'
import { googleKmsUnwrapper } from '../src/google-kms-unwrapper.ts'

export const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/signer',
}
/** As Tink's vectors have it. */
export const KEY = Buffer.from(`AWS4${USER.secretAccessKey}`)
export const DAY = Buffer.from('20150830')

export const tagOf = (key: Uint8Array, message: Uint8Array): string =>
  createHmac('sha256', key).update(message).digest('hex')

export const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex')

/** First 16 octets over the fixed label. */
export const answerOf = (key: Uint8Array): string => tagOf(key, Buffer.from('hardbound/known-answer/v1')).slice(0, 32)

export async function awsKms(o?: { users?: readonly string[] }) {
  const kms = await startAwsKms()
  kms.addUser(USER)
  const keyId = kms.addKey(o)
  return { kms, keyId, unwrap: (more: object = {}) => awsKmsUnwrapper({ ...awsOptions(kms), keyId, ...more }) }
}

export const awsOptions = (kms: TestAwsKms) => ({
  endpoint: kms.endpoint,
  dangerouslyAllowPlaintextEndpoint: true,
  credentials: { accessKeyId: USER.accessKeyId, secretAccessKey: USER.secretAccessKey },
})

export async function googleKms() {
  const kms = await startGoogleKms()
  const credentials = kms.addServiceAccount()
  const keyName = kms.addKey()
  return {
    kms,
    keyName,
    unwrap: (more: object = {}) => googleKmsUnwrapper({ ...googleOptions(kms), credentials, keyName, ...more }),
    credentials,
  }
}

export const googleOptions = (kms: TestGoogleKms) => ({
  endpoint: `http://${kms.host}:${kms.port}`,
  dangerouslyAllowPlaintextEndpoint: true,
})

/** For faults of emulators: ends the answer. */
export function answered(res: ServerResponse, status?: number, body?: string): true {
  if (status !== undefined) res.writeHead(status)
  res.end(body)
  return true
}

/** Signs for a day and service of which the backend is asked only once. */
export const signWith = (backend: HmacBackend) =>
  createHmacSigner({
    backend,
    accessKeyId: USER.accessKeyId,
    region: 'us-east-1',
    service: 'sts',
    clock: () => Date.parse('2015-08-30T12:36:00Z'),
  }).sign({ url: 'https://sts.us-east-1.amazonaws.com/' })

/** Makes sure that there is a derived key that {@link forgetSigningKeys} could forget. */
export async function signsWithoutAsking(backend: HmacBackend): Promise<void> {
  const asked = jest.spyOn(backend, 'hmacSha256')
  await signWith(backend)
  await signWith(backend)
  expect(asked).toHaveBeenCalledTimes(1)
  asked.mockRestore()
}

/** The environment that Node itself reads: Jest gives tests a copy. */
const realEnv = (get.constructor as FunctionConstructor)('return process.env')() as NodeJS.ProcessEnv

export async function withRealEnv(values: Readonly<Record<string, string>>, work: () => Promise<void>): Promise<void> {
  Object.assign(realEnv, values)
  Object.assign(process.env, values)
  try {
    await work()
  } finally {
    for (const name of Object.keys(values)) {
      delete realEnv[name]
      delete process.env[name]
    }
  }
}

/** TLS of somebody whom nobody trusts, and what it was sent. */
export async function startStranger() {
  const pki = await createTestPki()
  const { certPem: cert, keyPem: key } = await pki.issue({ commonName: 'localhost', dns: ['localhost'] })
  const bodies: string[] = []
  const server = createServer({ cert, key }, (req, res) => {
    req.on('data', (chunk: Buffer) => bodies.push(chunk.toString()))
    req.on('end', () => res.end('{}'))
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `https://localhost:${(server.address() as AddressInfo).port}`,
    bodies,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}

/** Everything an error would show in a log, causes included. */
export function textOf(error: unknown): string {
  const seen: string[] = []
  for (let it = error; it instanceof Error; it = it.cause) {
    seen.push(it.message, it.stack ?? '', JSON.stringify(it, Object.getOwnPropertyNames(it)))
  }
  return seen.join('\n')
}

/** The error of a promise, which must have one. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { code: string }> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  expect(error).toBeInstanceOf(Error)
  return error as Error & { code: string }
}
