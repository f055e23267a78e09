import { fromBase64, type JsonObject, KmsRefusal } from './json.ts'
import { keyNameOf, seal, unseal } from './seal.ts'

/** A symmetric key. */
export interface AwsKmsKey {
  readonly arn: string
  readonly material: Uint8Array
  /** ARNs of those who may use it; everybody where there is no list. */
  readonly users: readonly string[] | undefined
  state: 'Enabled' | 'Disabled' | 'PendingDeletion'
}

interface Result {
  readonly keyId: string
  readonly encryptionContext: Readonly<Record<string, string>>
  readonly output: object
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Encrypt: ['KeyId', 'Plaintext', 'EncryptionContext', 'EncryptionAlgorithm'],
  Decrypt: ['KeyId', 'CiphertextBlob', 'EncryptionContext', 'EncryptionAlgorithm'],
}
const MAX_PLAINTEXT_OCTETS = 4096
const MAX_CIPHERTEXT_OCTETS = 6144

/** Encrypt and Decrypt, as the API reference has them. @throws {KmsRefusal} */
export function answerKms(o: {
  operation: string
  input: JsonObject
  principal: string
  keys: ReadonlyMap<string, AwsKmsKey>
}): Result {
  const { operation, input } = o
  const unknown = Object.keys(input).find((name) => !FIELDS[operation]!.includes(name))
  if (unknown !== undefined) throw invalid(`the emulator does not know ${unknown}`)
  if ((input.EncryptionAlgorithm ?? 'SYMMETRIC_DEFAULT') !== 'SYMMETRIC_DEFAULT') throw invalid('EncryptionAlgorithm')
  const encryptionContext = contextOf(input.EncryptionContext)
  return operation === 'Encrypt' ? encrypt(o, encryptionContext) : decrypt(o, encryptionContext)
}

type Call = Parameters<typeof answerKms>[0]

function encrypt({ input, principal, keys }: Call, encryptionContext: Result['encryptionContext']): Result {
  const key = usable(keys, input.KeyId, principal)
  const plaintext = blob(input.Plaintext, 'Plaintext', MAX_PLAINTEXT_OCTETS)
  const sealed = seal({ key: key.material, keyName: key.arn, plaintext, aad: aadOf(encryptionContext) })
  const output = { CiphertextBlob: sealed.toString('base64'), KeyId: key.arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
  return { keyId: key.arn, encryptionContext, output }
}

function decrypt({ input, principal, keys }: Call, encryptionContext: Result['encryptionContext']): Result {
  const sealed = blob(input.CiphertextBlob, 'CiphertextBlob', MAX_CIPHERTEXT_OCTETS)
  const named = keyNameOf(sealed)
  if (named === undefined || !keys.has(named)) throw new KmsRefusal(400, 'InvalidCiphertextException', '')
  if (input.KeyId !== undefined) {
    usable(keys, input.KeyId, principal)
    if (input.KeyId !== named) {
      const why = 'The key ID in the request does not identify a CMK that can perform this operation.'
      throw new KmsRefusal(400, 'IncorrectKeyException', why)
    }
  }
  const key = usable(keys, named, principal)
  const plaintext = unseal({ key: key.material, sealed, aad: aadOf(encryptionContext) })
  if (plaintext === undefined) throw new KmsRefusal(400, 'InvalidCiphertextException', '')
  const output = { KeyId: key.arn, Plaintext: plaintext.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }
  return { keyId: key.arn, encryptionContext, output }
}

function usable(keys: ReadonlyMap<string, AwsKmsKey>, id: unknown, principal: string): AwsKmsKey {
  if (typeof id !== 'string' || id === '') throw invalid('KeyId')
  const key = keys.get(id)
  if (key === undefined) throw new KmsRefusal(400, 'NotFoundException', 'Invalid keyId')
  if (key.users !== undefined && !key.users.includes(principal)) {
    throw new KmsRefusal(400, 'AccessDeniedException', `User: ${principal} is not authorized to perform: kms:Decrypt`)
  }
  if (key.state === 'Disabled') throw new KmsRefusal(400, 'DisabledException', `${key.arn} is disabled.`)
  if (key.state === 'PendingDeletion') {
    throw new KmsRefusal(400, 'KMSInvalidStateException', `${key.arn} is pending deletion.`)
  }
  return key
}

/** Pairs in the order of their names: the service does not look at the order of the request. */
function aadOf(context: Result['encryptionContext']): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
  return pairs.length === 0 ? Buffer.alloc(0) : Buffer.from(JSON.stringify(pairs))
}

function contextOf(value: unknown = {}): Record<string, string> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject || Object.values(value).some((it) => typeof it !== 'string')) throw invalid('EncryptionContext')
  if (JSON.stringify(value).length > 8192) throw invalid('EncryptionContext is too long')
  return value as Record<string, string>
}

function blob(value: unknown, name: string, maxOctets: number): Buffer {
  const octets = fromBase64(value)
  if (octets === undefined || octets.length === 0 || octets.length > maxOctets) throw invalid(name)
  return octets
}

const invalid = (what: string): KmsRefusal => new KmsRefusal(400, 'ValidationException', what)
