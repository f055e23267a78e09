import { describeHmacBackend } from '@hardbound/testkit/hmac-backend'
import { startAwsKms, startGoogleKms, type TestAwsKms, type TestGoogleKms } from '@hardbound/testkit/kms'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { openTinkHmac } from '../src/open-tink-hmac.ts'
import { tinkKekUnwrapper } from '../src/tink-kek-unwrapper.ts'
import { answerOf, awsOptions, googleOptions, hex, KEY, tagOf, USER } from './helpers.ts'
import vectors from './vectors/tink-keysets.json' with { type: 'json' }

const material = Buffer.from(vectors.kekMaterialHex, 'hex')
const MESSAGE = Buffer.from(vectors.messageUtf8)

let aws: TestAwsKms
let google: TestGoogleKms
let credentials: ReturnType<TestGoogleKms['addServiceAccount']>
async function start(): Promise<void> {
  aws = await startAwsKms()
  aws.addUser(USER)
  aws.addKey({ arn: vectors.awsKeyArn, material })
  google = await startGoogleKms()
  google.addKey({ name: vectors.googleKeyName, material })
  credentials = google.addServiceAccount()
}
beforeEach(start)
afterEach(() => Promise.all([aws.close(), google.close()]))

const URIS: Readonly<Record<string, string>> = {
  aws: `aws-kms://${vectors.awsKeyArn}`,
  gcp: `gcp-kms://${vectors.googleKeyName}`,
}
const kek = (which: string, associatedDataHex = '') =>
  tinkKekUnwrapper(URIS[which]!, {
    associatedData: Buffer.from(associatedDataHex, 'hex'),
    aws: awsOptions(aws),
    google: { ...googleOptions(google), credentials },
  })
const wrong = (code: string) => expect.objectContaining({ name: 'HmacBackendError', code })

describe('openTinkHmac', () => {
  it.each(vectors.cases)('computes what Tink computed: $name', async (vector) => {
    const backend = await openTinkHmac({ unwrap: kek(vector.kek, vector.associatedDataHex), keyset: vector.keyset })
    expect(backend.name).toBe('kms')
    const tag = hex(await backend.hmacSha256(MESSAGE))
    await backend.close()
    expect(tag).toBe(vector.tinkMacHex.slice(vector.prefixOctets * 2))
  })

  it.each(vectors.refused)('refuses $name', async ({ keyset, reason }) => {
    const opening = openTinkHmac({ unwrap: kek('aws'), keyset })
    await expect(opening).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    await expect(opening).rejects.toThrow(reason)
  })

  const [raw] = vectors.cases
  it('M15 compares the known answer', async () => {
    const open = (knownAnswer: string) => openTinkHmac({ unwrap: kek('aws'), keyset: raw!.keyset, knownAnswer })
    await (await open(answerOf(KEY))).close()
    await expect(open('0'.repeat(32))).rejects.toEqual(wrong('ERR_HMAC_KNOWN_ANSWER'))
    await expect(open('x')).rejects.toThrow('"knownAnswer"')
  })

  it('M26 associated data that are others', async () => {
    const opening = openTinkHmac({ unwrap: kek('aws', '00'), keyset: raw!.keyset })
    await expect(opening).rejects.toEqual(wrong('ERR_HMAC_KEY'))
    expect(aws.refusals).toEqual(['InvalidCiphertextException'])
  })

  it('wipes what the KMS gave', async () => {
    const given: Uint8Array[] = []
    const inner = kek('aws')
    const unwrap = {
      ...inner,
      unwrap: async (...args: Parameters<typeof inner.unwrap>) => {
        const octets = await inner.unwrap(...args)
        given.push(octets)
        return octets
      },
    }
    const backend = await openTinkHmac({ unwrap, keyset: raw!.keyset, cache: { maxAgeSeconds: 60 } })
    expect(hex(await backend.hmacSha256(MESSAGE))).toBe(tagOf(KEY, MESSAGE))
    await backend.close()
    expect(given.map((it) => it.every((octet) => octet === 0))).toEqual([true])
  })

  it('refuses KEKs that it does not know', () => {
    expect(() => tinkKekUnwrapper('hcvault://vault.example.com/transit/keys/k')).toThrow('"uri"')
    expect(() => tinkKekUnwrapper('aws-kms://arn:aws:kms:eu-west-1:111122223333:alias/k')).toThrow('"keyId"')
    expect(() => tinkKekUnwrapper(`${URIS.gcp}/cryptoKeyVersions/1`)).toThrow('"keyName"')
  })
})

describeHmacBackend('tink', async () => {
  await start()
  const [own, other] = [aws, google]
  const backend = await openTinkHmac({ unwrap: kek('aws'), keyset: vectors.cases[0]!.keyset })
  const close = async () => {
    await backend.close()
    await Promise.all([own.close(), other.close()])
  }
  return { name: backend.name, hmacSha256: backend.hmacSha256, close }
})
