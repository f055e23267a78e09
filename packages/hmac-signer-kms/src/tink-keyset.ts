import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { fromBase64, isObject, parseObject } from './internal/checks.ts'
import { type ProtoMessage, type ProtoShape, readMessage } from './internal/protobuf.ts'

const MAX_CHARACTERS = 65_536
const TYPE_URL = 'type.googleapis.com/google.crypto.tink.HmacKey'

// tink.proto, common.proto and hmac.proto of https://github.com/tink-crypto/tink-java/tree/main/proto
const KEYSET: ProtoShape = { 1: 'varint', 2: 'repeated' }
const KEYSET_KEY: ProtoShape = { 1: 'octets', 2: 'varint', 3: 'varint', 4: 'varint' }
const KEY_DATA: ProtoShape = { 1: 'octets', 2: 'octets', 3: 'varint' }
const HMAC_KEY: ProtoShape = { 1: 'varint', 2: 'octets', 3: 'octets' }
const HMAC_PARAMS: ProtoShape = { 1: 'varint', 2: 'varint' }
const [ENABLED, SYMMETRIC, SHA256, TAG_OCTETS, MIN_KEY_OCTETS] = [1, 1, 3, 32, 16]
/** OutputPrefixType: TINK puts 5 octets before each tag, which we leave out. LEGACY and CRUNCHY change more, or are gone. */
const PREFIXES = { TINK: 1, RAW: 3 }

/** What is outside the encryption of a Tink keyset in JSON. */
export interface EncryptedTinkKeyset {
  readonly ciphertext: Uint8Array
  /** From `keysetInfo`, which nothing authenticates. */
  readonly primaryKeyId: number | undefined
}

/**
 * Reads an `EncryptedKeyset` as Tink's JSON writers write it.
 *
 * @throws {HmacBackendError} `ERR_HMAC_KEY`
 */
export function parseEncryptedTinkKeyset(json: string): EncryptedTinkKeyset {
  if (json.length > MAX_CHARACTERS) throw refusal('longer than 64 KiB')
  const fields = parseObject(json)
  if (fields === undefined) throw refusal('not a JSON object')
  if ('key' in fields) throw refusal('it is not encrypted: whoever can read the file has the key')
  const unknown = Object.keys(fields).find((name) => name !== 'encryptedKeyset' && name !== 'keysetInfo')
  if (unknown !== undefined) throw refusal('not an EncryptedKeyset')
  const ciphertext = fromBase64(fields.encryptedKeyset)
  if (ciphertext === undefined || ciphertext.length === 0) throw refusal('"encryptedKeyset" must be base64')
  const { keysetInfo } = fields
  const primaryKeyId = isObject(keysetInfo) ? keysetInfo.primaryKeyId : undefined
  return { ciphertext, primaryKeyId: typeof primaryKeyId === 'number' ? primaryKeyId : undefined }
}

/**
 * The primary key of a decrypted keyset, which must be an HMAC-SHA-256 key with whole tags.
 *
 * @param keyset Serialized `google.crypto.tink.Keyset`. The caller wipes it.
 * @param primaryKeyId What the file says outside of the encryption.
 * @returns A copy of the key's octets, which the caller wipes.
 * @throws {HmacBackendError} `ERR_HMAC_KEY` with the reason; no message holds a value.
 */
export function primaryHmacKey(keyset: Uint8Array, primaryKeyId?: number): Uint8Array {
  const set = message(keyset, KEYSET, 'Keyset')
  const primary = set.varint(1)
  if (primaryKeyId !== undefined && primaryKeyId !== primary) throw refusal('"keysetInfo" is about another keyset')
  const keys = set.repeated(2).map((key) => message(key, KEYSET_KEY, 'Keyset.Key'))
  const [key, ...rest] = keys.filter((it) => it.varint(3) === primary)
  if (key === undefined || rest.length > 0) throw refusal('it has no primary key, or more than one')
  if (key.varint(2) !== ENABLED) throw refusal('its primary key is not enabled')
  const prefix = key.varint(4)
  if (prefix !== PREFIXES.RAW && prefix !== PREFIXES.TINK) throw refusal('the output prefix must be RAW or TINK')
  return hmacKeyOf(message(key.octets(1), KEY_DATA, 'KeyData'))
}

function hmacKeyOf(data: ProtoMessage): Uint8Array {
  if (Buffer.from(data.octets(1)).toString('utf8') !== TYPE_URL || data.varint(3) !== SYMMETRIC) {
    throw refusal('its primary key is not an HmacKey')
  }
  const key = message(data.octets(2), HMAC_KEY, 'HmacKey')
  if (key.varint(1) !== 0) throw refusal('an HmacKey of a version that is not known')
  const parameters = message(key.octets(2), HMAC_PARAMS, 'HmacParams')
  if (parameters.varint(1) !== SHA256) throw refusal('the hash must be SHA256')
  if (parameters.varint(2) !== TAG_OCTETS) throw refusal('the tag size must be 32')
  const octets = key.octets(3)
  if (octets.length < MIN_KEY_OCTETS) throw refusal('the key is shorter than 16 octets')
  return Uint8Array.from(octets)
}

function message(octets: Uint8Array, shape: ProtoShape, name: string): ProtoMessage {
  const read = readMessage(octets, shape)
  if (read === undefined) throw refusal(`a malformed ${name}`)
  return read
}

const refusal = (what: string): HmacBackendError =>
  new HmacBackendError('ERR_HMAC_KEY', `kms: the Tink keyset: ${what}`)
