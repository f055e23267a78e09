import { crc32c } from './crc32c.ts'
import { fromBase64, type JsonObject, KmsRefusal } from './json.ts'
import { keyNameOf, seal, unseal } from './seal.ts'

/** A symmetric key with one version. */
export interface GoogleKey {
  readonly name: string
  readonly material: Uint8Array
  /** E-mails of those who may use it; everybody where there is no list. */
  readonly accounts: readonly string[] | undefined
  state: 'ENABLED' | 'DISABLED' | 'DESTROY_SCHEDULED'
}

const MAX_OCTETS = 65_536
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  encrypt: ['plaintext', 'plaintextCrc32c', 'additionalAuthenticatedData', 'additionalAuthenticatedDataCrc32c'],
  decrypt: ['ciphertext', 'ciphertextCrc32c', 'additionalAuthenticatedData', 'additionalAuthenticatedDataCrc32c'],
}

/** cryptoKeys.encrypt and .decrypt of the REST reference, with the checksums both ways. @throws {KmsRefusal} */
export function answerGoogleKms(o: {
  method: string
  name: string
  input: JsonObject
  account: string
  keys: ReadonlyMap<string, GoogleKey>
}): object {
  const { method, input } = o
  const unknown = Object.keys(input).find((field) => field !== 'name' && !FIELDS[method]!.includes(field))
  if (unknown !== undefined) throw invalid(`Unknown name "${unknown}"`)
  const key = usable(o.keys, o.name, o.account)
  const aad = checked(input, 'additionalAuthenticatedData')
  const version = `${key.name}/cryptoKeyVersions/1`
  if (method === 'encrypt') {
    const plaintext = checked(input, 'plaintext')
    const ciphertext = seal({ key: key.material, keyName: key.name, plaintext, aad })
    return {
      name: version,
      ...sum('ciphertext', ciphertext),
      verifiedPlaintextCrc32c: input.plaintextCrc32c !== undefined,
      verifiedAdditionalAuthenticatedDataCrc32c: input.additionalAuthenticatedDataCrc32c !== undefined,
      protectionLevel: 1,
    }
  }
  const sealed = checked(input, 'ciphertext')
  const plaintext = keyNameOf(sealed) === key.name ? unseal({ key: key.material, sealed, aad }) : undefined
  if (plaintext === undefined) throw invalid('Decryption failed: verify that "name" refers to the correct CryptoKey.')
  return { ...sum('plaintext', plaintext), usedPrimary: true, protectionLevel: 1 }
}

function usable(keys: ReadonlyMap<string, GoogleKey>, name: string, account: string): GoogleKey {
  const key = keys.get(name)
  if (key?.accounts !== undefined && !key.accounts.includes(account)) {
    throw new KmsRefusal(403, 'PERMISSION_DENIED', `Permission denied on resource '${name}' (or it may not exist).`)
  }
  if (key === undefined) throw new KmsRefusal(404, 'NOT_FOUND', `CryptoKey ${name} not found.`)
  if (key.state === 'ENABLED') return key
  throw new KmsRefusal(
    400,
    'FAILED_PRECONDITION',
    `${name}/cryptoKeyVersions/1 is not enabled, state is: ${key.state}.`,
  )
}

/** A base64 field, whose checksum must be right where there is one. Proto JSON leaves out empty fields. */
function checked(input: JsonObject, field: string): Buffer {
  const octets = fromBase64(input[field] ?? '')
  if (octets === undefined || octets.length > MAX_OCTETS) throw invalid(`Invalid value at '${field}'`)
  const stated = input[`${field}Crc32c`]
  if (stated !== undefined && Number(stated) !== crc32c(octets)) {
    throw invalid(`The checksum in field ${field}_crc32c did not match the data in field ${field}.`)
  }
  return octets
}

const sum = (field: string, octets: Buffer): object => ({
  [field]: octets.toString('base64'),
  [`${field}Crc32c`]: String(crc32c(octets)), // an int64 is a string in proto JSON
})

const invalid = (message: string): KmsRefusal => new KmsRefusal(400, 'INVALID_ARGUMENT', message)
