import { createHash, createHmac, type Hash, type Hmac, randomInt } from 'node:crypto'
import { afterAll, describe, expect, it } from '@jest/globals'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'
import { createHmacSigner } from '../src/create-hmac-signer.ts'
import { hmacSignerConstructor } from '../src/hmac-signer-constructor.ts'
import { softwareHmac } from '../src/software-backend.ts'
import { headersOf, pairsOf, pathOf, type Random, randomOf, textOf } from './random-request.ts'

/** Of each of four kinds: 100,000 in all. */
const REQUESTS = Number(process.env.HARDBOUND_REQUESTS ?? 25_000)
const TIMEOUT_MS = 30_000 + REQUESTS * 4
const SEED = Number(process.env.HARDBOUND_SEED ?? randomInt(2 ** 32))
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const CLOCK_MS = Date.UTC(2026, 7, 22, 12)

class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as Uint8Array)
  }
  update(data: Uint8Array): void {
    this.#hash.update(data)
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {}
}

const backend = softwareHmac({ secretAccessKey: SECRET })
afterAll(() => backend.close())
const clock = () => CLOCK_MS
const Signer = hmacSignerConstructor(backend, { clock })
const signingDate = new Date(CLOCK_MS)

const TOKEN = 'IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJHMEUCIQDe+xAMPLE=='
const SCOPES = [
  { region: 'us-east-1', service: 's3', uriEscapePath: false },
  { region: 'eu-west-1', service: 'dynamodb', uriEscapePath: true },
  { region: 'us-gov-west-1', service: 'execute-api', uriEscapePath: true },
]

/** Signers of three kinds that are to agree. */
function signersOf(scope: (typeof SCOPES)[number], session: { sessionToken?: string }, applyChecksum: boolean) {
  const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'
  const credentials = { accessKeyId, secretAccessKey: SECRET, ...session }
  const init = { ...scope, applyChecksum, sha256: Sha256, credentials }
  const { region, service } = scope
  const plain = { backend, accessKeyId, region, service, ...session, contentSha256Header: applyChecksum, clock }
  return { smithy: new SignatureV4(init), ours: new Signer(init), plain: createHmacSigner(plain) }
}
const SIGNERS = SCOPES.flatMap((scope) =>
  [{}, { sessionToken: TOKEN }].flatMap((session) => [true, false].map((it) => signersOf(scope, session, it))),
)

const bodyOf = (random: Random): string | Uint8Array | undefined =>
  random.pick([undefined, '', textOf(random, 20), Buffer.from(textOf(random, 20))])

/** A request as SDK clients have it. */
function sdkRequest(random: Random): HttpRequest {
  const query: Record<string, string | string[]> = {}
  for (const [name, value] of pairsOf(random)) {
    const before = Object.hasOwn(query, name) ? [query[name]!].flat() : undefined
    query[name] = before === undefined ? value : [...before, value]
  }
  const headers = { host: 'example.amazonaws.com', ...headersOf(random) } as Record<string, string>
  if (random.chance(0.2)) headers['X-Amz-Content-Sha256'] = 'UNSIGNED-PAYLOAD'
  const method = random.pick(['GET', 'PUT', 'POST', 'DELETE'])
  return new HttpRequest({ method, path: pathOf(random), query, headers, body: bodyOf(random) })
}

const lowerCased = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** The same request for `createHmacSigner`, by URL or by host and path, and as SDK clients would have it. */
function plainRequest(random: Random) {
  const pairs = pairsOf(random)
  const plus = random.chance(0.3) // a space may come as `+`
  const encode = (text: string) => (plus ? encodeURIComponent(text).replaceAll('%20', '+') : encodeURIComponent(text))
  const text = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
  const search = text === '' ? '' : `?${text}`
  const path = pathOf(random)
  const byUrl = random.chance(0.5)
  const host = 'example.amazonaws.com'
  const target = byUrl ? { url: `https://${host}${path}${search}` } : { host, path: path + search }
  const headers = headersOf(random)
  const body = bodyOf(random)
  const method = random.pick(['GET', 'PUT', 'POST', 'DELETE'])
  const query: Record<string, string[]> = {}
  for (const [name, value] of pairs) query[name] = [...(Object.hasOwn(query, name) ? query[name]! : []), value]
  return {
    given: { method, headers, ...(body === undefined ? {} : { body }), ...target },
    sdk: new HttpRequest({
      method,
      headers: { host, ...lowerCased(headers) },
      path: byUrl ? new URL(`https://${host}${path}`).pathname : path,
      query,
      body,
    }),
  }
}

/** Cheaper than `expect` a hundred thousand times. */
function assertSame(ours: Record<string, unknown>, theirs: Record<string, unknown>, request: object): void {
  const names = Object.keys(theirs)
  const same = (name: string) => String(ours[name]) === String(theirs[name]) && Object.hasOwn(ours, name)
  if (names.length === Object.keys(ours).length && names.every(same)) return
  expect({ request, signed: ours }).toEqual({ request, signed: theirs })
}

describe(`S02 against @smithy/signature-v4, HARDBOUND_SEED=${SEED}`, () => {
  const run = async (salt: number, compare: (random: Random) => Promise<void>) => {
    const random = randomOf(SEED + salt)
    for (let i = 0; i < REQUESTS; i++) await compare(random)
    expect.assertions(0)
  }

  it(
    'S02 signs headers for SDK clients as the SDK does',
    () =>
      run(1, async (random) => {
        const { smithy, ours } = random.pick(SIGNERS)
        const request = sdkRequest(random)
        const theirs = await smithy.sign(request, { signingDate })
        assertSame((await ours.sign(request, { signingDate })).headers, theirs.headers, request)
      }),
    TIMEOUT_MS,
  )

  it(
    'S02 presigns for SDK clients as the SDK does',
    () =>
      run(2, async (random) => {
        const { smithy, ours } = random.pick(SIGNERS)
        const request = sdkRequest(random)
        const expiresIn = 1 + random.below(604_800)
        const unhoistableHeaders = new Set(random.chance(0.5) ? ['x-amz-meta-a'] : [])
        const unsignableHeaders = new Set(random.chance(0.5) ? ['content-type'] : [])
        const options = { signingDate, expiresIn, unhoistableHeaders, unsignableHeaders }
        const [mine, theirs] = [await ours.presign(request, options), await smithy.presign(request, options)]
        assertSame({ ...mine.query, ...mine.headers }, { ...theirs.query, ...theirs.headers }, request)
      }),
    TIMEOUT_MS,
  )

  it(
    'S02 signs headers of plain requests as the SDK does',
    () =>
      run(3, async (random) => {
        const { smithy, plain } = random.pick(SIGNERS)
        const { given, sdk } = plainRequest(random)
        const payload = random.chance(0.3) ? ('unsigned' as const) : ('signed' as const)
        if (payload === 'unsigned') sdk.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
        const theirs = await smithy.sign(sdk, { signingDate })
        assertSame(await plain.sign(given, { payload }), theirs.headers, given)
      }),
    TIMEOUT_MS,
  )

  it(
    'S02 presigns plain requests as the SDK does',
    () =>
      run(4, async (random) => {
        const { smithy, plain } = random.pick(SIGNERS)
        const { given, sdk } = plainRequest(random)
        const expiresInSeconds = 1 + random.below(604_800)
        const payload = random.chance(0.3) ? ('unsigned' as const) : ('signed' as const)
        if (payload === 'unsigned') sdk.body = { read: 'later' }
        const unhoistableHeaders = new Set(Object.keys(sdk.headers))
        if (given.path !== undefined && isRewritten(given.path)) {
          const refused = await plain.presign(given, { expiresInSeconds, payload }).catch((error: unknown) => error)
          if (refused instanceof TypeError) return
          throw new Error(`presigned ${given.path}`)
        }
        const theirs = await smithy.presign(sdk, { signingDate, expiresIn: expiresInSeconds, unhoistableHeaders })
        const url = await plain.presign(given, { expiresInSeconds, payload })
        const mine: Record<string, string[]> = {}
        for (const [name, value] of url.searchParams)
          mine[name] = [...(Object.hasOwn(mine, name) ? mine[name]! : []), value]
        const query = Object.fromEntries(Object.entries(theirs.query!).map(([name, value]) => [name, [value].flat()]))
        assertSame(mine, query, given)
      }),
    TIMEOUT_MS,
  )
})

/** No URL can hold such a path: it would be sent as another. */
const isRewritten = (path: string): boolean => {
  const [bare = ''] = path.split('?')
  return new URL(`https://example.com${bare}`).pathname !== bare
}
