import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { AwsRefusal } from '../errors.ts'
import { listen, readBody } from '../internal/http.ts'
import { verifySigV4 } from '../sigv4-verify.ts'
import { type AwsKmsKey, answerKms } from './aws-kms-operations.ts'
import { KmsRefusal, parseObject } from './json.ts'

const MAX_BODY_OCTETS = 65_536

export type AwsKmsKeyState = AwsKmsKey['state']

/** A call that was verified and answered. */
export interface AwsKmsCall {
  readonly operation: string
  readonly keyId: string
  readonly encryptionContext: Readonly<Record<string, string>>
  readonly principal: string
}

/** A running stand-in for AWS KMS: Encrypt and Decrypt with symmetric keys. */
export interface TestAwsKms {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
  readonly region: string
  readonly calls: AwsKmsCall[]
  /** Codes of what was refused, in order. */
  readonly refusals: string[]
  /** Sees every request first. Where it returns true, it has answered. */
  fault: ((req: IncomingMessage, res: ServerResponse, body: string) => unknown) | undefined
  /** Laid over the answers of Decrypt: a service that lies. */
  lie: object | undefined
  /** How long each answer takes, in milliseconds. */
  delayMs: number
  /** So many calls more are answered with ThrottlingException. */
  throttle: number
  addUser(o: { accessKeyId: string; secretAccessKey: string; arn: string }): void
  /** A key, enabled. @returns Its ARN. @param o.material 32 octets; default: random. */
  addKey(o?: { arn?: string; material?: Uint8Array; users?: readonly string[] }): string
  setKeyState(arn: string, state: AwsKmsKeyState): void
  close(): Promise<void>
}

/** JSON names of what the verifier of signatures finds; the Query protocol of STS has shorter ones. */
const AUTH_CODES: Readonly<Record<string, string>> = {
  InvalidClientTokenId: 'UnrecognizedClientException',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  IncompleteSignature: 'IncompleteSignatureException',
  ExpiredToken: 'ExpiredTokenException',
}

/**
 * Starts AWS KMS: JSON 1.1 protocol, every signature verified, AES-256-GCM with the encryption context as additional data.
 *
 * @param o.now Milliseconds since 1970; default: the real clock.
 */
export async function startAwsKms(o: { region?: string; now?: () => number } = {}): Promise<TestAwsKms> {
  const { region = 'eu-west-1', now = Date.now } = o
  const users = new Map<string, { secretAccessKey: string; arn: string }>()
  const keys = new Map<string, AwsKmsKey>()

  function answer(req: IncomingMessage, body: Buffer): object {
    const headers = Array.from({ length: req.rawHeaders.length / 2 }, (_, i): [string, string] => {
      return [req.rawHeaders[2 * i]!, req.rawHeaders[2 * i + 1]!]
    })
    const request = { method: req.method!, target: req.url!, headers, body }
    const signed = verifySigV4(request, { service: 'kms', nowMs: now(), findKey: (id) => users.get(id) })
    if (signed.region !== region) throw new KmsRefusal(403, 'InvalidSignatureException', 'scoped to another region')
    if (req.method !== 'POST' || req.url !== '/') throw new KmsRefusal(404, 'UnknownOperationException', 'POST / only')
    if (req.headers['content-type'] !== 'application/x-amz-json-1.1') {
      throw new KmsRefusal(415, 'UnknownOperationException', 'content type')
    }
    if (kms.throttle > 0) {
      kms.throttle -= 1
      throw new KmsRefusal(400, 'ThrottlingException', 'You have exceeded the rate at which you may call KMS')
    }
    const operation = /^TrentService\.(Encrypt|Decrypt)$/.exec(String(req.headers['x-amz-target']))?.[1]
    if (operation === undefined) throw new KmsRefusal(400, 'UnknownOperationException', 'X-Amz-Target')
    const input = parseObject(body.toString())
    if (input === undefined) throw new KmsRefusal(400, 'SerializationException', 'not a JSON object')
    const principal = users.get(signed.accessKeyId)!.arn
    const { keyId, encryptionContext, output } = answerKms({ operation, input, principal, keys })
    kms.calls.push({ operation, keyId, encryptionContext, principal })
    return operation === 'Decrypt' ? { ...output, ...kms.lie } : output
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req, MAX_BODY_OCTETS)
    if (body === undefined) return void res.writeHead(413, { connection: 'close' }).end()
    if (kms.fault?.(req, res, body.toString()) === true) return
    if (kms.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, kms.delayMs).unref())
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() }
    try {
      const output = JSON.stringify(answer(req, body))
      res.writeHead(200, headers).end(output)
    } catch (error) {
      if (!(error instanceof AwsRefusal || error instanceof KmsRefusal)) throw error
      const code = error instanceof KmsRefusal ? error.code : (AUTH_CODES[error.code] ?? 'InvalidSignatureException')
      kms.refusals.push(code)
      res.writeHead(error.status, headers).end(JSON.stringify({ __type: code, message: error.message }))
    }
  }

  const listening = await listen(createServer((req, res) => void handle(req, res).catch(() => res.destroy())))
  const kms: TestAwsKms = {
    endpoint: `http://127.0.0.1:${listening.port}`,
    region,
    calls: [],
    refusals: [],
    fault: undefined,
    lie: undefined,
    delayMs: 0,
    throttle: 0,
    addUser: ({ accessKeyId, secretAccessKey, arn }) => void users.set(accessKeyId, { secretAccessKey, arn }),
    addKey({ arn = `arn:aws:kms:${region}:111122223333:key/${randomUUID()}`, material, users: allowed } = {}) {
      keys.set(arn, { arn, material: material ?? randomBytes(32), users: allowed, state: 'Enabled' })
      return arn
    },
    setKeyState(arn, state) {
      keys.get(arn)!.state = state
    },
    close: listening.close,
  }
  return kms
}
