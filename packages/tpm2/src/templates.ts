import type { EccPublicArea, ObjectAttribute, PublicArea, RsaPublicArea } from './public-area.ts'

const AES_128_CFB = { algorithm: 'aes', keyBits: 128, mode: 'cfb' } as const

const STORAGE: readonly ObjectAttribute[] = [
  'fixedTPM',
  'fixedParent',
  'sensitiveDataOrigin',
  'userWithAuth',
  'noDA',
  'restricted',
  'decrypt',
]
const ENDORSEMENT: readonly ObjectAttribute[] = [
  'fixedTPM',
  'fixedParent',
  'sensitiveDataOrigin',
  'adminWithPolicy',
  'restricted',
  'decrypt',
]

/** PolicySecret(TPM_RH_ENDORSEMENT) with SHA-256: TCG EK Credential Profile 2.6, §B.6.3. */
const ENDORSEMENT_POLICY = Uint8Array.from(
  Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex'),
)

function rsa(attributes: readonly ObjectAttribute[], authPolicy: Uint8Array, uniqueSize: number): RsaPublicArea {
  return {
    type: 'rsa',
    nameAlg: 'sha256',
    attributes,
    authPolicy,
    symmetric: AES_128_CFB,
    keyBits: 2048,
    exponent: 0,
    modulus: new Uint8Array(uniqueSize),
  }
}

function ecc(attributes: readonly ObjectAttribute[], authPolicy: Uint8Array, uniqueSize: number): EccPublicArea {
  return {
    type: 'ecc',
    nameAlg: 'sha256',
    attributes,
    authPolicy,
    symmetric: AES_128_CFB,
    curve: 'p256',
    x: new Uint8Array(uniqueSize),
    y: new Uint8Array(uniqueSize),
  }
}

const NO_POLICY = new Uint8Array(0)

/**
 * Templates for primary keys that can be parents. Each gives the same key for ever, in one TPM and hierarchy.
 *
 * - `h2-ecc`, `h1-rsa`: storage keys with an empty unique field. TSS2 PRIVATE KEY files with a hierarchy as their parent
 *   mean these (TCG EK Credential Profile 2.6, §B.4.5 and §B.4.4, with the attributes of the TCG Provisioning Guidance §7.5.1).
 * - `srk-ecc`, `srk-rsa`: storage root keys, unique field of zeros (Provisioning Guidance §7.5.1); usually at `0x81000001`.
 * - `ek-ecc`, `ek-rsa`: endorsement keys of the low range, L-2 and L-1 (EK Credential Profile 2.6, §B.3.4 and §B.3.3).
 */
export const TEMPLATES = {
  'h2-ecc': ecc(STORAGE, NO_POLICY, 0),
  'h1-rsa': rsa(STORAGE, NO_POLICY, 0),
  'srk-ecc': ecc(STORAGE, NO_POLICY, 32),
  'srk-rsa': rsa(STORAGE, NO_POLICY, 256),
  'ek-ecc': ecc(ENDORSEMENT, ENDORSEMENT_POLICY, 32),
  'ek-rsa': rsa(ENDORSEMENT, ENDORSEMENT_POLICY, 256),
} as const satisfies Record<string, PublicArea>

/** A template by name. */
export type TemplateName = keyof typeof TEMPLATES
