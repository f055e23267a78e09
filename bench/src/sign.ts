import { createHash, createHmac, hash } from 'node:crypto'
import { createHmacSigner, softwareHmac } from '@hardbound/sigv4-hmac'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'
import aws4 from 'aws4'
import { type Benchmark, interleaved, type Row, rounded } from './row.ts'

const BATCH = 2_000
const ROUNDS = 41
const HOST = 'sts.us-east-1.amazonaws.com'
const FORM = 'application/x-www-form-urlencoded'
const BODY = new URLSearchParams({
  Action: 'AssumeRole',
  Version: '2011-06-15',
  RoleArn: 'arn:aws:iam::111122223333:role/reader',
  RoleSessionName: 'bench',
  DurationSeconds: '3600',
}).toString()
const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}

/** node:crypto behind the interface that @smithy/signature-v4 wants, as the AWS SDK has it. */
class NodeSha256 {
  readonly #state: ReturnType<typeof createHash>
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#state = secret === undefined ? createHash('sha256') : (createHmac('sha256', octetsOf(secret)) as never)
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#state.update(octetsOf(data))
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#state.digest())
  }
  reset(): void {}
}

function octetsOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string') return data
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}

const signer = createHmacSigner({
  backend: softwareHmac(CREDENTIALS),
  accessKeyId: CREDENTIALS.accessKeyId,
  region: 'us-east-1',
  service: 'sts',
})
const smithy = new SignatureV4({ credentials: CREDENTIALS, region: 'us-east-1', service: 'sts', sha256: NodeSha256 })
const KEY = Buffer.alloc(32, 7)
const CANONICAL = 'c'.repeat(330)
const STRING_TO_SIGN = 's'.repeat(138)

const ours = () => signer.sign({ method: 'POST', host: HOST, path: '/', headers: { 'content-type': FORM }, body: BODY })
const peers = {
  smithy: () =>
    smithy.sign(
      new HttpRequest({
        method: 'POST',
        hostname: HOST,
        path: '/',
        headers: { host: HOST, 'content-type': FORM },
        body: BODY,
      }),
    ),
  aws4: () =>
    aws4.sign(
      { method: 'POST', host: HOST, path: '/', service: 'sts', headers: { 'Content-Type': FORM }, body: BODY },
      CREDENTIALS,
    ),
  floor: () => {
    hash('sha256', BODY, 'hex')
    hash('sha256', CANONICAL, 'hex')
    createHmac('sha256', KEY).update(STRING_TO_SIGN).digest('hex')
  },
}

const row = (name: string, peer: keyof typeof peers, what: string, goal: number): Benchmark => ({
  name,
  async run(): Promise<Row> {
    await ours()
    const a = () => perSecond(ours)
    const b = () => perSecond(peers[peer])
    for (let i = 0; i < 3; i++) await interleaved(1, a, b)
    const { value, against, ratio: paired } = await interleaved(ROUNDS, a, b)
    const ratio = rounded(paired)
    return {
      name,
      value: Math.round(value),
      unit: 'signatures/s',
      against: Math.round(against),
      peer: what,
      ratio,
      goal: `>= ${goal}x`,
      pass: ratio >= goal,
    }
  },
})

/** A warm key and a request as STS gets it, against others who sign, and against the hashing alone. */
export const sign: readonly Benchmark[] = [
  row('sign-vs-smithy', 'smithy', '@smithy/signature-v4 on node:crypto', 5),
  row('sign-vs-aws4', 'aws4', 'aws4', 1.5),
  row('sign-vs-floor', 'floor', 'two SHA-256 and one HMAC', 0.6),
]

async function perSecond(work: () => unknown): Promise<number> {
  const start = process.hrtime.bigint()
  for (let i = 0; i < BATCH; i++) {
    const result = work()
    if (result instanceof Promise) await result
  }
  return BATCH / (Number(process.hrtime.bigint() - start) / 1e9)
}
