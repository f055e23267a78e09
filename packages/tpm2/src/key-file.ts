import { DER, DerReader, der, derUint32, malformed } from './key-file-der.ts'

/** `loadable`: TPM2_Load takes it. `importable`: TPM2_Import first. `sealed`: data, not a key. */
export type KeyFileType = 'loadable' | 'importable' | 'sealed'

/** One policy command to run in a policy session before the key may be used. */
export interface KeyFilePolicyCommand {
  /** TPM_CC */
  readonly commandCode: number
  /** Parameters after the session handle, as the TPM takes them, in the order that the specification says. */
  readonly commandPolicy: Uint8Array
}

/** A key that its parent wrapped: all that a TPM needs to use it, and nothing it would have to hide. */
export interface KeyFile {
  readonly type: KeyFileType
  /**
   * Whether the key has an empty authorisation value. Absent means no. Don't rely on it: `tpm2_encodeobject` (seen in 5.4) writes the
   * opposite of what it means.
   */
  readonly emptyAuth?: boolean
  /** TPM_HANDLE: a persistent key (`0x81…`), or a hierarchy (`0x4000000…`) whose H-1 or H-2 primary it is. */
  readonly parent: number
  /** Under a hierarchy: the parent is the RSA 2048 primary (H-1), not the ECC P-256 one (H-2). */
  readonly rsaParent?: boolean
  /** TPM2B_PUBLIC, size included. */
  readonly public: Uint8Array
  /** TPM2B_PRIVATE, size included; for `importable` the duplicate. */
  readonly private: Uint8Array
  /** TPM2B_ENCRYPTED_SECRET, size included: the seed of an `importable` key, and of no other. */
  readonly secret?: Uint8Array
  readonly policy?: readonly KeyFilePolicyCommand[]
  /** Policies that a signed policy of the key stands for. */
  readonly authPolicy?: readonly { readonly name?: string; readonly policy: readonly KeyFilePolicyCommand[] }[]
  readonly description?: string
}

const LABEL = 'TSS2 PRIVATE KEY'
const PEM = new RegExp(`^\\s*-----BEGIN ${LABEL}-----\\r?\\n([A-Za-z0-9+/=\\r\\n]+)-----END ${LABEL}-----\\s*$`)
const MAX_CHARACTERS = 32_768
const MAX_COMMANDS = 64
/** 2.23.133.10.1.x */
const TYPES: readonly [KeyFileType, string][] = [
  ['loadable', '6781050a0103'],
  ['importable', '6781050a0104'],
  ['sealed', '6781050a0105'],
]

/**
 * Reads a TSS2 PRIVATE KEY, as tpm2-tools, OpenSSL's tpm2 provider and engine, and go-tpm write it.
 *
 * @param pem At most 32,768 characters, one key.
 * @throws {Tpm2Error} `ERR_TPM_KEY_FILE`
 * @see {@link https://www.hansenpartnership.com/draft-bottomley-tpm2-keys.html ASN.1 Specification for TPM 2.0 Key Files}, section 3
 */
export function readKeyFile(pem: string): KeyFile {
  const base64 = pem.length > MAX_CHARACTERS ? undefined : PEM.exec(pem)?.[1]?.replace(/[\r\n]/g, '')
  if (base64 === undefined) throw malformed('no PEM block of that name')
  const octets = Buffer.from(base64, 'base64')
  if (octets.toString('base64') !== base64) throw malformed('base64')

  const file = new DerReader(octets)
  const key = file.within(DER.SEQUENCE, readKey)
  file.end()
  return key
}

function readKey(it: DerReader): KeyFile {
  const oid = Buffer.from(it.read(DER.OID)).toString('hex')
  const type = TYPES.find(([, known]) => known === oid)?.[0]
  if (!type) throw malformed('type')
  const emptyAuth = it.optional(0, (inner) => inner.boolean())
  const policy = it.optional(1, readPolicy)
  const secret = it.optional(2, sized)
  const authPolicy = it.optional(3, (inner) => inner.within(DER.SEQUENCE, (list) => many(list, readAuthPolicy)))
  const description = it.optional(4, (inner) => inner.utf8())
  const rsaParent = it.optional(5, (inner) => inner.boolean())
  const parent = it.uint32()
  const key = { type, parent, public: sized(it), private: sized(it) }
  if ((secret !== undefined) !== (type === 'importable')) throw malformed('a seed belongs to an importable key')
  return {
    ...key,
    ...(emptyAuth !== undefined && { emptyAuth }),
    ...(policy && { policy }),
    ...(secret && { secret }),
    ...(authPolicy && { authPolicy }),
    ...(description !== undefined && { description }),
    ...(rsaParent !== undefined && { rsaParent }),
  }
}

/** An OCTET STRING that holds a TPM2B: two octets of size, then as many. */
function sized(it: DerReader): Uint8Array {
  const octets = Uint8Array.from(it.read(DER.OCTETS))
  const [high = 0, low = 0] = octets
  if (octets.length <= 2 || octets.length - 2 !== high * 256 + low) throw malformed('size of a TPM2B')
  return octets
}

function readPolicy(it: DerReader): KeyFilePolicyCommand[] {
  return it.within(DER.SEQUENCE, (list) =>
    many(list, (command) => ({
      commandCode: command.explicit(0, (inner) => inner.uint32()),
      commandPolicy: Uint8Array.from(command.explicit(1, (inner) => inner.read(DER.OCTETS))),
    })),
  )
}

function readAuthPolicy(it: DerReader) {
  const name = it.optional(0, (inner) => inner.utf8())
  return { ...(name !== undefined && { name }), policy: it.explicit(1, readPolicy) }
}

function many<T>(list: DerReader, element: (it: DerReader) => T): T[] {
  const found: T[] = []
  while (!list.empty) {
    if (found.length === MAX_COMMANDS) throw malformed('too many policies')
    found.push(list.within(DER.SEQUENCE, element))
  }
  return found
}

/**
 * Writes a TSS2 PRIVATE KEY in DER, 64 characters a line.
 *
 * @throws {Tpm2Error} `ERR_TPM_KEY_FILE` where {@link readKeyFile} would not read it.
 */
export function writeKeyFile(key: KeyFile): string {
  const optional = (tag: number, part: Uint8Array | false | undefined) => (part ? [der(DER.CONTEXT + tag, part)] : [])
  const octets = der(
    DER.SEQUENCE,
    der(DER.OID, Buffer.from(TYPES.find(([type]) => type === key.type)?.[1] ?? '', 'hex')),
    ...optional(0, key.emptyAuth !== undefined && boolean(key.emptyAuth)),
    ...optional(1, key.policy && writePolicy(key.policy)),
    ...optional(2, key.secret && der(DER.OCTETS, key.secret)),
    ...optional(3, key.authPolicy && der(DER.SEQUENCE, ...key.authPolicy.map(writeAuthPolicy))),
    ...optional(4, key.description !== undefined && utf8(key.description)),
    ...optional(5, key.rsaParent !== undefined && boolean(key.rsaParent)),
    derUint32(key.parent),
    der(DER.OCTETS, key.public),
    der(DER.OCTETS, key.private),
  )
  const lines =
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  const pem = [`-----BEGIN ${LABEL}-----`, ...lines, `-----END ${LABEL}-----`, ''].join('\n')
  readKeyFile(pem)
  return pem
}

const boolean = (value: boolean) => der(DER.BOOLEAN, Uint8Array.of(value ? 0xff : 0))
const utf8 = (text: string) => der(DER.UTF8, new TextEncoder().encode(text))

function writePolicy(policy: readonly KeyFilePolicyCommand[]): Uint8Array {
  const command = (it: KeyFilePolicyCommand) =>
    der(
      DER.SEQUENCE,
      der(DER.CONTEXT, derUint32(it.commandCode)),
      der(DER.CONTEXT + 1, der(DER.OCTETS, it.commandPolicy)),
    )
  return der(DER.SEQUENCE, ...policy.map(command))
}

function writeAuthPolicy(it: { name?: string; policy: readonly KeyFilePolicyCommand[] }): Uint8Array {
  const name = it.name === undefined ? [] : [der(DER.CONTEXT, utf8(it.name))]
  return der(DER.SEQUENCE, ...name, der(DER.CONTEXT + 1, writePolicy(it.policy)))
}
