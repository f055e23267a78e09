import { RolesAnywhereError } from '../errors.ts'
import type { Named } from './make-identity.ts'
import type { PasswordKeeper } from './password.ts'
import { decryptPkcs8, UnsupportedEncryption } from './pbes2.ts'
import type { PemBlock } from './pem-blocks.ts'
import { blocksOf } from './pem-certificates.ts'
import { type PrivateKey, type PrivateKeyEncoding, readPrivateKey } from './private-key.ts'

/** In the order in which the service's own helper looks for them. */
const PLAIN: readonly [label: string, type: PrivateKeyEncoding][] = [
  ['PRIVATE KEY', 'pkcs8'],
  ['EC PRIVATE KEY', 'sec1'],
  ['RSA PRIVATE KEY', 'pkcs1'],
]
const ENCRYPTED = 'ENCRYPTED PRIVATE KEY'

/**
 * Reads the private key of a file: PKCS #8, SEC 1 or PKCS #1; with a password PKCS #8 that is encrypted by PBES2, and nothing else.
 *
 * @throws {RolesAnywhereError} `ERR_RA_KEY`, `ERR_RA_PASSWORD`
 */
export async function readPemPrivateKey(file: Named<Uint8Array>, password: PasswordKeeper): Promise<PrivateKey> {
  const { from } = file
  const blocks = blocksOf(file, 'ERR_RA_KEY')
  try {
    for (const [label, type] of PLAIN) {
      const block = blocks.find((it) => it.label === label)
      if (block === undefined) continue
      if (block.headers) throw keyError(from, `is encrypted in OpenSSL's old way: ${REENCRYPT}`)
      if (!password.given) return await parsed(block.der, type, from)
      throw new RolesAnywhereError(
        'ERR_RA_PASSWORD',
        `a password was given, and the private key in ${from} is not encrypted: leave it out, or encrypt the key`,
      )
    }
    const encrypted = blocks.find(({ label }) => label === ENCRYPTED)
    if (encrypted === undefined) throw keyError(from, whatElse(file.value, blocks))
    return await password.use(`the private key in ${from}`, (it) => decrypted(encrypted.der, it, from))
  } finally {
    for (const { der } of blocks) der.fill(0)
  }
}

const REENCRYPT = 'convert it by openssl pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -out new.pem'

async function parsed(der: Buffer, type: PrivateKeyEncoding, from: string): Promise<PrivateKey> {
  try {
    return await readPrivateKey(der, type)
  } catch (error) {
    if (error instanceof TypeError) throw keyError(from, `is ${error.message}`)
    throw keyError(from, `can not be read: ${messageOf(error)}`)
  }
}

async function decrypted(der: Buffer, password: Uint8Array, from: string): Promise<PrivateKey> {
  const info = await decryptPkcs8(der, password).catch((error: unknown) => {
    const cure = error instanceof UnsupportedEncryption ? `: ${REENCRYPT}` : ''
    throw keyError(from, `can not be decrypted: ${messageOf(error)}${cure}`)
  })
  try {
    // One wrong password in 256 leaves a padding that looks right, and no key.
    if (info?.[0] === 0x30) return await parsed(info, 'pkcs8', from)
    throw new RolesAnywhereError('ERR_RA_PASSWORD', `the password of the private key in ${from} is wrong`)
  } finally {
    info?.fill(0)
  }
}

function whatElse(octets: Uint8Array, blocks: readonly PemBlock[]): string {
  const label = blocks.map((it) => it.label).find((it) => it.endsWith('PRIVATE KEY'))
  if (label === 'TSS2 PRIVATE KEY') return 'is one of a TPM: use it as such'
  if (label === 'OPENSSH PRIVATE KEY') return "is in OpenSSH's format: ssh-keygen -p -m PKCS8 converts it"
  if (label !== undefined) return `is a ${label}: use PKCS #8`
  const cure = octets[0] === 0x30 ? 'it may be DER: openssl pkey -inform der -out key.pem' : 'it has to be PEM'
  return `is not there: ${cure}`
}

/** Of our own errors, which say nothing of the octets. */
const messageOf = (error: unknown): string =>
  error instanceof SyntaxError || error instanceof UnsupportedEncryption ? error.message : 'it is damaged'

const keyError = (from: string, why: string): RolesAnywhereError =>
  new RolesAnywhereError('ERR_RA_KEY', `the private key in ${from} ${why}`)
